"""The Event Grid webhook of the Functions host: POST|OPTIONS /runtime/webhooks/EventGrid?functionName=NAME&code=KEY."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from localcloud.functions_host import trigger_data
from localcloud.functions_host.access import Access
from localcloud.functions_host.functions import EVENT_GRID, Function
from localcloud.functions_host.invocation import InvocationFailed, Invoker

_DEFAULT_ORIGIN = "eventgrid.azure.net"


class EventGridTrigger:
    """Answers handshakes and splits deliveries into one invocation per event."""

    def __init__(self, functions: Sequence[Function], invoker: Invoker, access: Access) -> None:
        self._functions = {one.name: one for one in functions if one.trigger == EVENT_GRID and one.runs}
        self._invoker, self._access = invoker, access

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The real extension's order of decisions (facts/functions.md, section 2)."""
        refusal = self._access.webhook_refusal(request)
        if refusal is not None:
            return web.Response(status=refusal)
        name = request.query.get("functionName", "")
        function = self._functions.get(name)
        if function is None:
            return web.Response(status=404, text=f"cannot find function: '{name}'")
        if request.method == "OPTIONS":
            return web.Response(headers={"Webhook-Allowed-Origin": _DEFAULT_ORIGIN})
        kind = request.headers.get("aeg-event-type", "").lower()
        if kind == "unsubscribe":
            return web.Response(status=202)
        if kind not in ("subscriptionvalidation", "notification"):
            return web.Response(status=400)
        try:
            events = _events(await request.read())
        except ValueError as error:
            return web.Response(status=400, text=str(error))
        if kind == "subscriptionvalidation":
            data = events[0].get("data")
            code = data.get("validationCode") if isinstance(data, dict) else None
            return web.json_response({"validationResponse": code}) if code else web.Response(status=400)
        return await self._dispatch(function, events)

    async def _dispatch(self, function: Function, events: list[dict[str, Any]]) -> web.Response:
        """All in parallel; all must succeed, or the whole batch is sent again."""
        runs = [self._run(function, event) for event in events]
        outcomes = await asyncio.gather(*runs, return_exceptions=True)
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if not failures:
            return web.Response(status=202)
        if not isinstance(failures[0], Exception):
            raise failures[0]
        return web.Response(status=500, text=str(failures[0]))

    async def _run(self, function: Function, event: dict[str, Any]) -> None:
        try:
            data = trigger_data.decode(function, json.dumps(event), kind="json")
        except (ValueError, AttributeError, TypeError) as error:
            raise InvocationFailed(f"the event cannot be read: {error}") from error
        await self._invoker.run(function, data, reason="Event Grid")


def _events(body: bytes) -> list[dict[str, Any]]:
    loaded = json.loads(body)
    events = loaded if isinstance(loaded, list) else [loaded]
    if not events or not all(isinstance(event, dict) for event in events):
        raise ValueError("The body must be an event or an array of events.")
    return events
