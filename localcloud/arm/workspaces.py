"""The workspace itself, its discovery address, and the compute that jobs may name."""

from __future__ import annotations

from aiohttp import web

from localcloud.arm.paths import PROVIDER, WORKSPACE, Scope, any_case, scope_of
from localcloud.arm.store import Store, system_data
from localcloud.seams import Cloud, Json, utc_now


class Workspaces:
    """The handlers."""

    def __init__(self, cloud: Cloud, store: Store) -> None:
        self._cloud, self._store = cloud, store
        self._created = utc_now()

    def add_routes(self, app: web.Application) -> None:
        """Azure's own paths."""
        app.router.add_get(any_case(WORKSPACE), self.get)
        app.router.add_get(any_case(f"{WORKSPACE}/computes/{{compute}}"), self.get_compute)
        app.router.add_get("/discovery", self.discover)

    async def get(self, request: web.Request) -> web.Response:
        """GET the workspace."""
        return web.json_response(self._body(scope_of(request.match_info, self._cloud.settings)))

    def _body(self, scope: Scope) -> Json:
        settings, base = self._cloud.settings, self._cloud.base_url
        providers = f"/subscriptions/{scope.subscription}/resourceGroups/{scope.resource_group}/providers"
        return {
            "id": scope.arm_id,
            "name": scope.name,
            "type": f"{PROVIDER}/workspaces",
            "location": settings.region,
            "tags": {},
            "etag": None,
            "kind": "Default",
            "properties": {
                "friendlyName": scope.name,
                "description": "",
                "storageAccount": f"{providers}/Microsoft.Storage/storageAccounts/local",
                "keyVault": f"{providers}/Microsoft.Keyvault/vaults/local",
                "applicationInsights": f"{providers}/Microsoft.insights/components/local",
                "hbiWorkspace": False,
                "tenantId": settings.tenant_id,
                "imageBuildCompute": None,
                "provisioningState": "Succeeded",
                "v1LegacyMode": False,
                "softDeleteEnabled": False,
                "containerRegistry": f"{providers}/Microsoft.ContainerRegistry/registries/local",
                "notebookInfo": {
                    "resourceId": self._store.workspace_id.replace("-", ""),
                    "fqdn": f"ml-{scope.name}-{settings.region}-{self._store.workspace_id}.notebooks.invalid",
                    "isPrivateLinkEnabled": False,
                    "notebookPreparationError": None,
                },
                "storageHnsEnabled": False,
                "workspaceId": self._store.workspace_id,
                "linkedModelInventoryArmId": None,
                "privateLinkCount": 0,
                "publicNetworkAccess": "Enabled",
                "discoveryUrl": f"{base}/discovery",
                "mlFlowTrackingUri": f"azureml://{base.removeprefix('https://')}/mlflow/v1.0{scope.arm_id}",
                "sdkTelemetryAppInsightsKey": settings.instrumentation_key,
                "sasGetterUri": "",
            },
            "identity": {
                "type": "SystemAssigned",
                "principalId": self._store.workspace_id,
                "tenantId": settings.tenant_id,
            },
            "sku": {"name": "Basic", "tier": "Basic"},
            "systemData": system_data(self._created, self._created),
        }

    async def get_compute(self, request: web.Request) -> web.Response:
        """GET a compute: any name is a cluster, since jobs run on this machine."""
        scope, name = scope_of(request.match_info, self._cloud.settings), request.match_info["compute"]
        return web.json_response(
            {
                "id": f"{scope.arm_id}/computes/{name}",
                "name": name,
                "type": f"{PROVIDER}/workspaces/computes",
                "location": self._cloud.settings.region,
                "properties": {
                    "computeType": "AmlCompute",
                    "provisioningState": "Succeeded",
                    "properties": {"vmSize": "Standard_F2s_v2", "scaleSettings": {"maxNodeCount": 1}},
                },
            }
        )

    async def discover(self, _request: web.Request) -> web.Response:
        """GET discoveryUrl (sent without any token): every service is on this host."""
        return web.json_response(
            dict.fromkeys(("api", "history", "experimentation", "studio", "mlflow"), self._cloud.base_url)
        )
