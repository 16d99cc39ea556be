"""The workspace's datastores: blob containers in Azurite, under the names that every workspace has.

The default ones carry an account name that makes the unpatched SDK upload into Azurite (facts/local-stack.md).
"""

from __future__ import annotations

from aiohttp import web

from localcloud.arm.envelope import not_found
from localcloud.arm.paths import PROVIDER, WORKSPACE, any_case, scope_of
from localcloud.arm.requests import json_body
from localcloud.arm.store import system_data
from localcloud.seams import AzureError, Cloud, Json, utc_now

DEFAULT = "workspaceblobstore"
CONTAINERS = {DEFAULT: "azureml-blobstore", "workspaceartifactstore": "azureml-artifacts"}


class Datastores:
    """The handlers of `datastores`, and which container each one is."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._created = utc_now()
        self._containers = dict(CONTAINERS)

    def add_routes(self, app: web.Application) -> None:
        """Azure's own paths."""
        every, one = f"{WORKSPACE}/datastores", f"{WORKSPACE}/datastores/{{datastore}}"
        app.router.add_get(any_case(every), self.list_all)
        app.router.add_get(any_case(one), self.get)
        app.router.add_put(any_case(one), self.put)
        app.router.add_post(any_case(f"{one}/listSecrets"), self.list_secrets)

    def container_of(self, name: str) -> str:
        """The blob container behind a datastore; 404 when there is no such datastore."""
        if container := self._containers.get(name.lower()):
            return container
        raise not_found(f"datastore with name {name}")

    async def list_all(self, request: web.Request) -> web.Response:
        """GET datastores; `isDefault=true` asks for the default one."""
        names = [DEFAULT] if request.query.get("isDefault", "").lower() == "true" else list(self._containers)
        return web.json_response({"value": [self._body(request, name) for name in names]})

    async def get(self, request: web.Request) -> web.Response:
        """GET one."""
        return web.json_response(self._body(request, request.match_info["datastore"]))

    async def put(self, request: web.Request) -> web.Response:
        """PUT one: a blob datastore on this cloud's storage account."""
        properties = (await json_body(request)).get("properties") or {}
        container, name = properties.get("containerName"), request.match_info["datastore"].lower()
        if not container:
            raise AzureError(400, "UserError", "containerName is required: only blob datastores are supported here.")
        status = 200 if name in self._containers else 201
        self._containers[name] = str(container)
        return web.json_response(self._body(request, name), status=status)

    async def list_secrets(self, request: web.Request) -> web.Response:
        """POST listSecrets: a signature for the container, as Azure gives for an expirable secret."""
        container = self.container_of(request.match_info["datastore"])
        signature = self._cloud.blobs.sas_url(container).partition("?")[2]
        return web.json_response({"secretsType": "Sas", "sasToken": signature})

    def _body(self, request: web.Request, name: str) -> Json:
        scope, container = scope_of(request.match_info, self._cloud.settings), self.container_of(name)
        return {
            "id": f"{scope.arm_id}/datastores/{name}",
            "name": name,
            "type": f"{PROVIDER}/workspaces/datastores",
            "properties": {
                "description": None,
                "tags": {},
                "properties": {},
                "isDefault": name == DEFAULT,
                "credentials": {"credentialsType": "Sas"},
                "datastoreType": "AzureBlob",
                "accountName": self._cloud.blobs.account_name,
                "containerName": container,
                "endpoint": "core.windows.net",
                "protocol": "https",
                "serviceDataAccessAuthIdentity": "None",
            },
            "systemData": system_data(self._created, self._created),
        }
