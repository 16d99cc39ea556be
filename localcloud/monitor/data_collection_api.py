"""The routes of custom tables and data collection rules (ARM), and of the Logs Ingestion API (the data plane)."""

from __future__ import annotations

from aiohttp import web

from localcloud.monitor.bearer import require_bearer
from localcloud.monitor.data_collection import DataCollection
from localcloud.monitor.object_body import object_body
from localcloud.seams import AzureError, Json

_GROUP = "/subscriptions/{subscription}/{g:(?i:resourcegroups)}/{group}/{p:(?i:providers)}"
_TABLE = f"{_GROUP}/{{i:(?i:microsoft\\.operationalinsights)}}/{{w:(?i:workspaces)}}/{{workspace}}/{{t:(?i:tables)}}"
_RULE = f"{_GROUP}/{{i:(?i:microsoft\\.insights)}}/{{r:(?i:datacollectionrules)}}"


class DataCollectionApi:
    """Keeps the resources as they were put."""

    def __init__(self, data: DataCollection, base_url: str) -> None:
        self._data, self._base_url = data, base_url
        self._resources: dict[str, Json] = {}

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """PUT and GET of tables and rules, DELETE of rules, POST of rows."""
        router.add_put(f"{_TABLE}/{{name}}", self.put_table)
        router.add_put(f"{_RULE}/{{name}}", self.put_rule)
        for path in (f"{_TABLE}/{{name}}", f"{_RULE}/{{name}}"):
            router.add_get(path, self.get)
        router.add_delete(f"{_RULE}/{{name}}", self.delete_rule)
        router.add_post("/dataCollectionRules/{immutable_id}/streams/{stream}", self.ingest)

    async def put_table(self, request: web.Request) -> web.Response:
        """Make a custom table."""
        require_bearer(request)
        body = await object_body(request)
        name = request.match_info["name"]
        self._data.put_table(name, body)
        properties = {"plan": "Analytics", **(body.get("properties") or {}), "provisioningState": "Succeeded"}
        return self._keep(request, {"name": name, "properties": properties})

    async def put_rule(self, request: web.Request) -> web.Response:
        """Make or replace a data collection rule; its endpoint for rows is this host."""
        require_bearer(request)
        body = await object_body(request)
        immutable_id = self._data.put_rule(request.path, body)
        properties = {
            **(body.get("properties") or {}),
            "immutableId": immutable_id,
            "endpoints": {"logsIngestion": self._base_url},
            "provisioningState": "Succeeded",
        }
        location = body.get("location", "")
        resource = {"name": request.match_info["name"], "location": location, "properties": properties}
        return self._keep(request, resource)

    async def get(self, request: web.Request) -> web.Response:
        """One table or rule."""
        require_bearer(request)
        resource = self._resources.get(request.path.lower())
        if resource is None:
            raise AzureError(404, "ResourceNotFound", f"The Resource '{request.path}' was not found.")
        return web.json_response(resource)

    async def delete_rule(self, request: web.Request) -> web.Response:
        """Remove a rule; 204 when there is none."""
        require_bearer(request)
        resource = self._resources.pop(request.path.lower(), None)
        if resource is None:
            return web.Response(status=204)
        self._data.remove_rule(resource["properties"]["immutableId"])
        return web.Response(status=200)

    async def ingest(self, request: web.Request) -> web.Response:
        """Take rows: 204."""
        require_bearer(request)
        self._data.ingest(request.match_info["immutable_id"], request.match_info["stream"], await request.read())
        return web.Response(status=204)

    def _keep(self, request: web.Request, resource: Json) -> web.Response:
        is_new = request.path.lower() not in self._resources
        self._resources[request.path.lower()] = {"id": request.path, **resource}
        return web.json_response(self._resources[request.path.lower()], status=201 if is_new else 200)
