"""Registry discovery and sharing (import) of a workspace's model into the registry.

Import is the one operation that is followed by its Location alone: 202 with an empty body, then 204 with an empty body.
A status body at the end makes the SDK crash.
"""

from __future__ import annotations

import asyncio
import uuid

from aiohttp import web

from localcloud.arm.asset_files import AssetFiles
from localcloud.arm.assets import Assets
from localcloud.arm.envelope import not_found
from localcloud.arm.operations import retry_soon
from localcloud.arm.paths import (
    PROVIDER,
    REGISTRY,
    REGISTRY_HOST,
    Scope,
    any_case,
    scope_of,
    workspace_scope,
)
from localcloud.arm.requests import json_body
from localcloud.arm.store import Store
from localcloud.seams import AzureError, Cloud, Json

_JSON = {"Content-Type": "application/json; charset=utf-8"}
"""Sent with empty bodies too."""


class Registries:
    """The handlers of the registry that are not assets."""

    def __init__(self, cloud: Cloud, store: Store, assets: Assets, files: AssetFiles) -> None:
        self._cloud, self._store, self._assets, self._files = cloud, store, assets, files
        self._imports: dict[str, asyncio.Task[None]] = {}

    def add_routes(self, app: web.Application) -> None:
        """Azure's own paths."""
        app.router.add_get(any_case("/registrymanagement/v1.0/registries/{registry}/discovery"), self.discover)
        app.router.add_get(any_case(REGISTRY), self.get)
        app.router.add_post(any_case(f"{REGISTRY_HOST}{REGISTRY}/import"), self.start_import)
        app.router.add_get("/assetstore/v1.0/operations/{operation}", self.poll_import)

    async def discover(self, request: web.Request) -> web.Response:
        """GET discovery: where the registry's data plane is. The provider uri must end in a slash."""
        settings, name = self._cloud.settings, request.match_info["registry"]
        if name.lower() != settings.registry.lower():
            raise not_found(f"registry with name {name}")
        return web.json_response(
            {
                "registryId": self._store.registry_id,
                "registryName": settings.registry,
                "tenantId": settings.tenant_id,
                "primaryRegion": settings.region,
                "regions": [settings.region],
                "subscriptionId": settings.subscription_id,
                "resourceGroup": settings.resource_group,
                "workspaceName": None,
                "primaryRegionResourceProviderUri": f"{self._cloud.base_url}/",
                "registryFqdns": {settings.region: {"uri": self._cloud.base_url}},
            }
        )

    async def get(self, request: web.Request) -> web.Response:
        """GET the registry resource."""
        scope = scope_of(request.match_info, self._cloud.settings)
        region = self._cloud.settings.region
        body: Json = {
            "id": scope.arm_id,
            "name": scope.name,
            "type": f"{PROVIDER}/registries",
            "location": region,
            "tags": {},
            "properties": {
                "publicNetworkAccess": "Enabled",
                "discoveryUrl": f"{self._cloud.base_url}/registrymanagement/v1.0/registries/{scope.name}/discovery",
                "regionDetails": [{"location": region}],
            },
        }
        return web.json_response(body)

    async def start_import(self, request: web.Request) -> web.Response:
        """POST import: copy one model of the workspace into the registry."""
        properties = (await json_body(request)).get("properties") or {}
        target = scope_of(request.match_info, self._cloud.settings)
        source_id = str(properties.get("sourceAssetId"))
        found = self._files.version(workspace_scope(self._cloud.settings), source_id, "models")
        if found is None:
            raise AzureError(400, "UserError", f"{source_id} is not the id of a model that can be shared.")
        name = str(properties.get("destinationName") or found[1])
        version = str(properties.get("destinationVersion") or found[2].version)
        operation = str(uuid.uuid4())
        self._imports[operation] = asyncio.create_task(
            self._copy(target, name, version, {**found[2].properties, "originAssetId": source_id})
        )
        headers = {
            "Location": f"{self._cloud.base_url}/assetstore/v1.0/operations/{operation}",
            "x-ms-async-operation-timeout": "PT1H",
        }
        return web.json_response(None, status=202, headers=headers)

    async def _copy(self, target: Scope, name: str, version: str, properties: Json) -> None:
        await self._cloud.pace.wait("operations", self._cloud.settings.endpoint_seconds)
        self._assets.register(target, "models", name, version, properties)

    async def poll_import(self, request: web.Request) -> web.Response:
        """GET the operation: 202 while it runs, 204 when it is done, always without a body."""
        task = self._imports.get(request.match_info["operation"])
        if task is None:
            raise not_found(f"operation {request.match_info['operation']}")
        if not task.done():
            return web.Response(status=202, headers={**_JSON, **retry_soon(self._cloud.settings.endpoint_seconds)})
        if error := task.exception():
            raise AzureError(500, "ImportFailed", str(error))
        return web.Response(status=204, headers=_JSON)

    async def stop(self) -> None:
        """Cancel what still runs, at shut-down."""
        for task in self._imports.values():
            task.cancel()
        await asyncio.gather(*self._imports.values(), return_exceptions=True)
