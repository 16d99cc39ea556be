"""Versioned assets of a workspace or a registry: models, codes, environments, data, components.

One set of handlers for all kinds, because the service has one; what is special to models (events, stages) is a hook.
Writes are synchronous: 201 for a new version, 200 for a change of one.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from aiohttp import web

from localcloud.arm.asset_bodies import container_body, stored_properties, version_body
from localcloud.arm.envelope import not_found
from localcloud.arm.paging import is_listed, page
from localcloud.arm.paths import REGISTRY, REGISTRY_HOST, WORKSPACE, Scope, any_case, scope_of
from localcloud.arm.requests import json_body
from localcloud.arm.store import Asset, AssetVersion, Store
from localcloud.seams import AzureError, Cloud, Json, utc_now

KINDS = ("models", "codes", "environments", "data", "components")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,254}")
_PATH_FIELDS = {"models": "modelUri", "codes": "codeUri"}

NewVersion = Callable[[Asset, AssetVersion], None]


class Assets:
    """The handlers, and `register` for parts that make assets themselves (jobs, imports)."""

    def __init__(self, cloud: Cloud, store: Store, on_new: NewVersion) -> None:
        self._cloud, self._store, self._on_new = cloud, store, on_new

    def add_routes(self, app: web.Application) -> None:
        """Azure's own paths: on ARM for the workspace, on the registry's host and on ARM for the registry."""
        kinds = "|".join(KINDS)
        for base in (WORKSPACE, REGISTRY, REGISTRY_HOST + REGISTRY):
            every = any_case(base) + f"/{{kind:(?i:{kinds})}}"
            app.router.add_get(every, self.list_containers)
            app.router.add_get(f"{every}/{{name}}", self.get_container)
            app.router.add_put(f"{every}/{{name}}", self.put_container)
            app.router.add_get(f"{every}/{{name}}/versions", self.list_versions)
            app.router.add_get(f"{every}/{{name}}/versions/{{version}}", self.get_version)
            app.router.add_put(f"{every}/{{name}}/versions/{{version}}", self.put_version)
            app.router.add_delete(f"{every}/{{name}}/versions/{{version}}", self.delete_version)

    def register(
        self, scope: Scope, kind: str, name: str, version: str, properties: Json
    ) -> tuple[Asset, AssetVersion, bool]:
        """Create or change one version; True when it is new (then the kind's event is raised)."""
        if not _NAME.fullmatch(name) or not _NAME.fullmatch(version):
            raise AzureError(
                400,
                "UserError",
                f"'{name}:{version}' is not a valid asset id: letters, digits, '-', '_' and '.', at most 255 each.",
            )
        asset = self._store.asset(scope, kind, name)
        if asset is None:
            asset = self._store.assets[(scope.key, kind, name.lower())] = Asset(scope, kind, name)
        known = asset.versions.get(version)
        if known:
            self._change(asset, known, properties)
            return asset, known, False
        made = AssetVersion(version, stored_properties(kind, properties), self._store.next_sequence())
        asset.versions[version] = made
        asset.modified = made.modified
        self._on_new(asset, made)
        return asset, made, True

    @staticmethod
    def _change(asset: Asset, known: AssetVersion, properties: Json) -> None:
        field = _PATH_FIELDS.get(asset.kind)
        if field and properties.get(field) and properties[field] != known.properties.get(field):
            raise AzureError(400, "UserError", "Asset paths cannot be updated.")
        kept = {field: known.properties.get(field)} if field else {}
        known.properties = stored_properties(asset.kind, {**properties, **kept})
        known.modified = asset.modified = utc_now()

    def next_version(self, scope: Scope, kind: str, name: str) -> str:
        """What the service would number the next version."""
        asset = self._store.asset(scope, kind, name)
        return str(container_body(asset)["properties"]["nextVersion"]) if asset else "1"

    def _scope_and_kind(self, request: web.Request) -> tuple[Scope, str]:
        return scope_of(request.match_info, self._cloud.settings), request.match_info["kind"].lower()

    def _asset(self, request: web.Request) -> Asset:
        scope, kind = self._scope_and_kind(request)
        name = request.match_info["name"]
        if asset := self._store.asset(scope, kind, name):
            return asset
        raise not_found(f"asset with ID: {scope.asset_id(kind, name)}")

    def _version(self, request: web.Request) -> tuple[Asset, AssetVersion]:
        scope, kind = self._scope_and_kind(request)
        name, version = request.match_info["name"], request.match_info["version"]
        asset = self._store.asset(scope, kind, name)
        found = asset.versions.get(version) if asset else None
        if asset is None or found is None:
            raise not_found(f"asset with ID: {scope.asset_id(kind, name, version)}")
        return asset, found

    async def list_containers(self, request: web.Request) -> web.Response:
        """GET {kind}."""
        scope, kind = self._scope_and_kind(request)
        found = [asset for asset in self._store.assets.values() if (asset.scope, asset.kind) == (scope, kind)]
        listed = [asset for asset in found if is_listed(request, bool(asset.properties.get("isArchived")))]
        return page(request, self._cloud.base_url, [container_body(asset) for asset in listed])

    async def get_container(self, request: web.Request) -> web.Response:
        """GET {kind}/{name}."""
        return web.json_response(container_body(self._asset(request)))

    async def put_container(self, request: web.Request) -> web.Response:
        """PUT {kind}/{name}: description, tags, archive of all versions."""
        scope, kind = self._scope_and_kind(request)
        name, properties = request.match_info["name"], (await json_body(request)).get("properties") or {}
        asset = self._store.asset(scope, kind, name)
        status = 200 if asset else 201
        if asset is None:
            asset = self._store.assets[(scope.key, kind, name.lower())] = Asset(scope, kind, name)
        asset.properties = properties
        asset.modified = utc_now()
        return web.json_response(container_body(asset), status=status)

    async def list_versions(self, request: web.Request) -> web.Response:
        """GET {kind}/{name}/versions: newest first; filters by archive state, stage and content hash.

        An unknown name is an empty list: the SDK asks before the first version of a registry model, and fails on 404.
        """
        scope, kind = self._scope_and_kind(request)
        asset = self._store.asset(scope, kind, request.match_info["name"])
        if asset is None:
            return web.json_response({"value": []})
        versions = [version for version in asset.newest_first() if _matches(request, version)]
        if request.query.get("$orderBy", "").lower().endswith("asc"):
            versions.reverse()
        return page(request, self._cloud.base_url, [version_body(asset, version) for version in versions])

    async def get_version(self, request: web.Request) -> web.Response:
        """GET one version; `default` of a component is its newest."""
        if request.match_info["version"] == "default":
            asset = self._asset(request)
            return web.json_response(version_body(asset, asset.newest_first()[0]))
        return web.json_response(version_body(*self._version(request)))

    async def put_version(self, request: web.Request) -> web.Response:
        """PUT one version."""
        scope, kind = self._scope_and_kind(request)
        properties = (await json_body(request)).get("properties") or {}
        name, version = request.match_info["name"], request.match_info["version"]
        asset, made, is_new = self.register(scope, kind, name, version, properties)
        headers = {"Location": f"{self._cloud.base_url}{request.path_qs}"} if is_new else {}
        return web.json_response(version_body(asset, made), status=201 if is_new else 200, headers=headers)

    async def delete_version(self, request: web.Request) -> web.Response:
        """DELETE one version; 204 when there is none."""
        scope, kind = self._scope_and_kind(request)
        asset = self._store.asset(scope, kind, request.match_info["name"])
        gone = asset.versions.pop(request.match_info["version"], None) if asset else None
        return web.Response(status=200 if gone else 204)


def _matches(request: web.Request, version: AssetVersion) -> bool:
    stage, digest = request.query.get("stage"), request.query.get("hash")
    if stage and version.properties.get("stage") != stage:
        return False
    if digest and (version.properties.get("properties") or {}).get("hash_sha256") != digest:
        return False
    return is_listed(request, version.archived)
