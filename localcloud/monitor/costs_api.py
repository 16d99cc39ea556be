"""The routes of money: Cost Management's query (ARM) and the retail prices."""

from __future__ import annotations

from aiohttp import web

from localcloud.monitor import prices
from localcloud.monitor.bearer import require_bearer
from localcloud.monitor.costs import Costs
from localcloud.seams import AzureError


class CostsApi:
    """Both routes."""

    def __init__(self, costs: Costs) -> None:
        self._costs = costs

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """The scope of a query is whatever stands before the provider."""
        router.add_post(
            "/{scope:subscriptions/.+}/{p:(?i:providers)}/{c:(?i:microsoft\\.costmanagement)}/{q:(?i:query)}",
            self.query,
        )
        router.add_get("/api/retail/prices", prices.get)

    async def query(self, request: web.Request) -> web.Response:
        """What the deployments below a scope cost."""
        require_bearer(request)
        scope = "/" + request.match_info["scope"]
        try:
            properties = self._costs.query(scope, await request.json())
        except ValueError as error:
            raise AzureError(400, "BadRequest", f"Invalid query definition: {error}") from error
        name = "00000000-0000-0000-0000-000000000000"
        body = {
            "id": f"{scope}/providers/Microsoft.CostManagement/query/{name}",
            "name": name,
            "type": "Microsoft.CostManagement/query",
            "properties": properties,
        }
        return web.json_response(body)
