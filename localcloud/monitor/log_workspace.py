"""The Log Analytics workspace as a resource: what ties its ARM id to the GUID by which queries name it."""

from __future__ import annotations

from aiohttp import web

from localcloud.monitor.bearer import require_bearer
from localcloud.seams import AzureError, Json
from localcloud.settings import Settings

NAME = "logs-local"
_KIND = "{p:(?i:providers)}/{o:(?i:microsoft\\.operationalinsights)}/{kind:(?i:workspaces)}"


def log_workspace_id(settings: Settings) -> str:
    """The ARM id of this cloud's one workspace."""
    group = f"/subscriptions/{settings.subscription_id}/resourceGroups/{settings.resource_group}"
    return f"{group}/providers/Microsoft.OperationalInsights/workspaces/{NAME}"


class LogWorkspace:
    """GET of it, and the lists that hold it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Azure's own paths."""
        group = "/subscriptions/{subscription}/{g:(?i:resourcegroups)}/{group}"
        router.add_get(f"{group}/{_KIND}/{{name}}", self.get)
        router.add_get(f"{group}/{_KIND}", self.list)
        router.add_get(f"/subscriptions/{{subscription}}/{_KIND}", self.list)

    async def get(self, request: web.Request) -> web.Response:
        """The workspace, or ARM's 404."""
        require_bearer(request)
        if request.path.lower().rstrip("/") != log_workspace_id(self._settings).lower():
            raise AzureError(404, "ResourceNotFound", f"The Resource '{request.match_info['name']}' was not found.")
        return web.json_response(self._body())

    async def list(self, request: web.Request) -> web.Response:
        """The one that there is."""
        require_bearer(request)
        return web.json_response({"value": [self._body()]})

    def _body(self) -> Json:
        return {
            "id": log_workspace_id(self._settings),
            "name": NAME,
            "type": "Microsoft.OperationalInsights/workspaces",
            "location": self._settings.region,
            "properties": {
                "customerId": self._settings.log_analytics_workspace_id,
                "provisioningState": "Succeeded",
                "retentionInDays": 30,
                "sku": {"name": "PerGB2018"},
            },
        }
