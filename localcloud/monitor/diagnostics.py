"""Azure Resource Manager's routes of Microsoft.Insights/diagnosticSettings: what an endpoint sends to Log Analytics.

On Azure an endpoint logs nothing until it has a setting. So that a first script sees rows, every endpoint begins here
with one that sends everything, as if an Azure Policy had made it; `logs_without_setting` off takes that away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from localcloud.monitor.bearer import require_bearer
from localcloud.monitor.log_workspace import log_workspace_id
from localcloud.seams import AzureError, Json
from localcloud.settings import Settings

CATEGORIES = ("AmlOnlineEndpointConsoleLog", "AmlOnlineEndpointEventLog", "AmlOnlineEndpointTrafficLog")
"""The categories of an online endpoint; each is also the name of its table."""
GIVEN = "set-by-policy"
MOST_SETTINGS = 5
_ENDPOINTS = "/onlineendpoints/"
_COLLECTION = (
    "/{resource:subscriptions/.+}/{p:(?i:providers)}/{i:(?i:microsoft\\.insights)}/{kind:(?i:diagnosticsettings)}"
)


class DiagnosticSettings:
    """The settings as they were put, by resource and name, both in lower case."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._kept: dict[str, dict[str, Json]] = {}

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """The list, and PUT, GET, DELETE of one."""
        one = f"{_COLLECTION}/{{name}}"
        router.add_get(_COLLECTION, self.list)
        router.add_put(one, self.put)
        router.add_get(one, self.get)
        router.add_delete(one, self.delete)

    def sends(self, table: str, row: Mapping[str, Any]) -> bool:
        """Whether a row reaches the workspace: rows of other tables, and of no endpoint, always do."""
        resource = str(row.get("_ResourceId") or "").lower()
        if table not in CATEGORIES or _ENDPOINTS not in resource:
            return True
        here = log_workspace_id(self._settings).lower()
        return any(
            str(one["properties"].get("workspaceId") or "").lower() == here and _enabled(one, table)
            for one in self._of(resource).values()
        )

    def _of(self, resource: str) -> dict[str, Json]:
        resource = resource.lower()
        if resource not in self._kept:
            is_endpoint = _ENDPOINTS in resource and "/" not in resource.partition(_ENDPOINTS)[2]
            given = is_endpoint and self._settings.logs_without_setting
            self._kept[resource] = {GIVEN: self._given(resource)} if given else {}
        return self._kept[resource]

    def _given(self, resource: str) -> Json:
        everything = {"categoryGroup": "allLogs", "enabled": True}
        return _setting(resource, GIVEN, {"workspaceId": log_workspace_id(self._settings), "logs": [everything]})

    async def list(self, request: web.Request) -> web.Response:
        """All settings of a resource."""
        require_bearer(request)
        return web.json_response({"value": list(self._of(_resource(request)).values())})

    async def get(self, request: web.Request) -> web.Response:
        """One setting."""
        require_bearer(request)
        found = self._of(_resource(request)).get(request.match_info["name"].lower())
        if found is None:
            text = f"The diagnostic setting '{request.match_info['name']}' doesn't exist."
            raise AzureError(404, "ResourceNotFound", text)
        return web.json_response(found)

    async def put(self, request: web.Request) -> web.Response:
        """Make or replace one."""
        require_bearer(request)
        properties = _checked((await request.json()).get("properties") or {})
        name, kept = request.match_info["name"], self._of(_resource(request))
        if name.lower() not in kept and len(kept) >= MOST_SETTINGS:
            raise AzureError(409, "Conflict", f"A resource has at most {MOST_SETTINGS} diagnostic settings.")
        kept[name.lower()] = _setting(_resource(request), name, properties)
        return web.json_response(kept[name.lower()])

    async def delete(self, request: web.Request) -> web.Response:
        """Remove one; 204 when there is none."""
        require_bearer(request)
        there = self._of(_resource(request)).pop(request.match_info["name"].lower(), None)
        return web.Response(status=200 if there else 204)


def _resource(request: web.Request) -> str:
    return f"/{request.match_info['resource']}"


def _setting(resource: str, name: str, properties: Json) -> Json:
    made: Json = {"storageAccountId": None, "eventHubAuthorizationRuleId": None, "eventHubName": None, "metrics": []}
    return {
        "id": f"{resource}/providers/microsoft.insights/diagnosticSettings/{name}",
        "type": "Microsoft.Insights/diagnosticSettings",
        "name": name,
        "properties": {**made, **properties},
    }


def _enabled(setting: Json, table: str) -> bool:
    return any(
        log.get("enabled") and (log.get("category") == table or str(log.get("categoryGroup")).lower() == "alllogs")
        for log in setting["properties"].get("logs") or []
    )


def _checked(properties: Json) -> Json:
    if not any(properties.get(key) for key in ("workspaceId", "storageAccountId", "eventHubAuthorizationRuleId")):
        raise AzureError(400, "BadRequest", "At least one data sink needs to be specified.")
    for log in properties.get("logs") or []:
        category = log.get("category")
        if category is not None and category not in CATEGORIES:
            raise AzureError(400, "BadRequest", f"Category '{category}' is not supported.")
    return properties
