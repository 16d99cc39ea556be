"""Places to upload to, given out before an asset exists: pending uploads of the workspace, tempdatarefs of a registry.

Each asset version gets a container of its own, because the SDK uploads to the root of what the signature names.
"""

from __future__ import annotations

import uuid

from aiohttp import web

from localcloud.arm.paths import REGISTRY, REGISTRY_HOST, WORKSPACE, any_case, scope_of
from localcloud.arm.store import Store
from localcloud.seams import AzureError, Cloud, Json


class Uploads:
    """The two handlers."""

    def __init__(self, cloud: Cloud, store: Store) -> None:
        self._cloud, self._store = cloud, store

    def add_routes(self, app: web.Application) -> None:
        """Azure's own paths."""
        pending = any_case(WORKSPACE) + "/{kind:(?i:codes|models|data)}/{name}/versions/{version}/startPendingUpload"
        app.router.add_post(pending, self.start_pending_upload)
        app.router.add_put(
            any_case(f"{REGISTRY_HOST}{REGISTRY}/tempdatarefs/{{name}}/versions/{{version}}"), self.temporary_reference
        )

    async def start_pending_upload(self, request: web.Request) -> web.Response:
        """POST startPendingUpload."""
        scope_of(request.match_info, self._cloud.settings)
        place = await self._new_place()
        return web.json_response(
            {
                "pendingUploadId": str(uuid.uuid4()),
                "pendingUploadType": "TemporaryBlobReference",
                "blobReferenceForConsumption": place,
            }
        )

    async def temporary_reference(self, request: web.Request) -> web.Response:
        """PUT tempdatarefs: 409 when the version exists, which tells the SDK to skip the upload."""
        scope = scope_of(request.match_info, self._cloud.settings)
        name, version = request.match_info["name"], request.match_info["version"]
        for kind in ("models", "codes", "data"):
            asset = self._store.asset(scope, kind, name)
            if asset and version in asset.versions:
                raise AzureError(409, "UserError", f"The asset {name}:{version} already exists.")
        place = await self._new_place()
        return web.json_response({"blobReferenceForConsumption": place, "temporaryDataReferenceId": str(uuid.uuid4())})

    async def _new_place(self) -> Json:
        container = f"upload-{uuid.uuid4()}"
        nothing = self._cloud.folder / "assets" / "nothing"
        nothing.mkdir(parents=True, exist_ok=True)
        # An upload of no files still makes the container, which the signature alone could not.
        await self._cloud.blobs.upload_folder(container, "", nothing)
        account = self._cloud.settings.subscription_id
        return {
            "blobUri": f"{self._cloud.blobs.blob_url}/{container}",
            "storageAccountArmId": f"/subscriptions/{account}/resourceGroups/{self._cloud.settings.resource_group}"
            "/providers/Microsoft.Storage/storageAccounts/local",
            "credential": {"credentialType": "SAS", "sasUri": self._cloud.blobs.sas_url(container)},
        }
