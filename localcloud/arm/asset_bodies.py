"""Assets as a GET shows them. Lists and dicts that the SDK cannot do without are never null."""

from __future__ import annotations

from localcloud.arm.paths import PROVIDER
from localcloud.arm.store import Asset, AssetVersion, system_data
from localcloud.seams import Json

_COMMON: Json = {"description": None, "tags": {}, "properties": {}, "isArchived": False, "isAnonymous": False}
_BY_KIND: dict[str, Json] = {
    "models": {"flavors": {}, "modelType": "custom_model", "modelUri": None, "jobName": None},
    "codes": {"codeUri": None},
    "environments": {"environmentType": "UserCreated", "osType": "Linux"},
    "data": {"dataType": "uri_folder", "dataUri": None},
    "components": {"componentSpec": {}},
}


def stored_properties(kind: str, given: Json) -> Json:
    """What the service keeps of a version: its defaults under what was sent."""
    return {**_COMMON, **_BY_KIND[kind], **{name: value for name, value in given.items() if value is not None}}


def version_body(asset: Asset, version: AssetVersion) -> Json:
    """One version; a registry names it by its asset, a workspace by its number."""
    properties = dict(version.properties)
    if asset.kind == "components":
        spec = {**properties["componentSpec"], "name": asset.name, "version": version.version}
        properties["componentSpec"] = spec
    in_registry = asset.scope.is_registry
    if in_registry:
        properties.setdefault("originAssetId", None)
    return {
        "id": asset.scope.asset_id(asset.kind, asset.name, version.version),
        "name": asset.name if in_registry else version.version,
        "type": asset.kind if in_registry else f"{PROVIDER}/workspaces/{asset.kind}/versions",
        "properties": properties,
        "systemData": system_data(version.created, version.modified),
    }


def container_body(asset: Asset) -> Json:
    """The container, with its latest (newest created) and next (highest number plus one) version."""
    newest = asset.newest_first()
    numbers = [int(version) for version in asset.versions if version.isdigit()]
    return {
        "id": asset.scope.asset_id(asset.kind, asset.name),
        "name": asset.name,
        "type": f"{PROVIDER}/{asset.scope.kind}/{asset.kind}",
        "properties": {
            "description": asset.properties.get("description"),
            "tags": asset.properties.get("tags") or {},
            "properties": asset.properties.get("properties") or {},
            "isArchived": bool(asset.properties.get("isArchived")),
            "latestVersion": newest[0].version if newest else None,
            "nextVersion": str(max(numbers, default=0) + 1),
        },
        "systemData": system_data(asset.created, asset.modified),
    }
