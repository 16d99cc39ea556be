"""The local cloud's own doors, which Azure does not have: faults, steps, and the page that shows what is going on.

    GET, POST, DELETE /localcloud/faults     {"kind": "http", "match": "^PUT ", "times": 2, "status": 429}
    DELETE            /localcloud/faults/ID
    GET, POST         /localcloud/step       {"what": "operations"}; without a body: everything that is stepped
    GET               /localcloud            the page

They listen on this machine only, like everything here, and take no key: who can reach them owns the cloud.
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from localcloud import host_crash, page
from localcloud.faults import FAULTS, UnknownFault
from localcloud.pace import STEPPABLE
from localcloud.seams import AzureError, Cloud, Json

PREFIX = "/localcloud"


def setup(app: web.Application, cloud: Cloud) -> None:
    """Add the doors."""
    control = Control(cloud)
    host_crash.setup(app, cloud)
    app.router.add_get(f"{PREFIX}/faults", control.list_faults)
    app.router.add_post(f"{PREFIX}/faults", control.add_fault)
    app.router.add_delete(f"{PREFIX}/faults", control.clear_faults)
    app.router.add_delete(f"{PREFIX}/faults/{{id}}", control.clear_faults)
    app.router.add_get(f"{PREFIX}/step", control.waits)
    app.router.add_post(f"{PREFIX}/step", control.step)
    app.router.add_get(PREFIX, control.page)


class Control:
    """The handlers."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def list_faults(self, _request: web.Request) -> web.Response:
        """All faults since the last clear, with what they struck; and the kinds there are."""
        kinds = {name: {"says": kind.says, "parameters": dict(kind.parameters)} for name, kind in FAULTS.items()}
        return web.json_response({"value": self._cloud.faults.list(), "kinds": kinds})

    async def add_fault(self, request: web.Request) -> web.Response:
        """201 when every part knows of it; 400 says what is wrong with it."""
        body = await _object(request)
        kind, match, times = body.pop("kind", ""), body.pop("match", ""), body.pop("times", 1)
        if not isinstance(kind, str) or not isinstance(match, str) or not isinstance(times, int):
            raise _refused("A fault needs kind (text), and may have match (a regular expression) and times (a number).")
        try:
            fault = self._cloud.faults.add(kind, match=match, times=times, parameters=body)
        except UnknownFault as error:
            raise _refused(str(error)) from error
        await self._cloud.faults.spread()
        return web.json_response(fault.render(), status=201)

    async def clear_faults(self, request: web.Request) -> web.Response:
        """Forget all, or the one of the path."""
        text = request.match_info.get("id")
        if text is not None and not text.isdecimal():
            raise _refused(f"{text!r} is not the number of a fault.")
        existed = self._cloud.faults.clear(None if text is None else int(text))
        await self._cloud.faults.spread()
        return web.Response(status=200 if existed else 204)

    async def waits(self, _request: web.Request) -> web.Response:
        """Per kind how many waits there are; null where it passes by the clock."""
        return web.json_response(self._cloud.pace.status())

    async def step(self, request: web.Request) -> web.Response:
        """Let go what waits now; how much that was, by kind."""
        pace, what = self._cloud.pace, (await _object(request)).get("what")
        kinds = [what] if what is not None else [kind for kind in STEPPABLE if pace.stepped(kind)]
        if not kinds or any(kind not in STEPPABLE for kind in kinds):
            raise _refused(f"what: one of {', '.join(STEPPABLE)}, for a cloud started with the setting `stepped`.")
        try:
            return web.json_response({kind: pace.step(kind) for kind in kinds})
        except ValueError as error:
            raise AzureError(409, "NotStepped", str(error)) from error

    async def page(self, _request: web.Request) -> web.Response:
        """What people look at."""
        headers = {
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        }
        return web.Response(text=page.render(self._cloud), content_type="text/html", headers=headers)


async def _object(request: web.Request) -> Json:
    try:
        body: Any = json.loads(await request.read() or b"{}")
    except ValueError as error:
        raise _refused(f"The body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise _refused("The body must be a JSON object.")
    return body


def _refused(message: str) -> AzureError:
    return AzureError(400, "BadRequest", message)
