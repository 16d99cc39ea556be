"""What the caller may do at a scope: `GET {scope}/providers/Microsoft.Authorization/permissions`.

Everybody may do everything here, so only what is told can be tested: the fault `role.missing` takes actions away from
what is told. To have the calls themselves refused, order 403 with an `http` fault.
"""

from __future__ import annotations

from aiohttp import web

from localcloud.seams import Cloud

_PATH = "/{scope:subscriptions/.+}/{p:(?i:providers)}/{a:(?i:microsoft\\.authorization)}/{kind:(?i:permissions)}"


class Permissions:
    """The one route."""

    def __init__(self, cloud: Cloud) -> None:
        self._faults = cloud.faults

    def add_routes(self, app: web.Application) -> None:
        """Azure's own path, for resources, resource groups and subscriptions."""
        app.router.add_get(_PATH, self.list)

    async def list(self, request: web.Request) -> web.Response:
        """All actions, without those that a fault takes away."""
        missing = self._faults.take("role.missing", f"/{request.match_info['scope']}")
        lacking = list(missing.get("actions") or ["*"]) if missing is not None else []
        granted = {"actions": ["*"], "notActions": lacking, "dataActions": ["*"], "notDataActions": lacking}
        return web.json_response({"value": [granted]})
