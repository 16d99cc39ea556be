"""What is special about models: a new version of the workspace raises ModelRegistered. Registries raise nothing."""

from __future__ import annotations

from localcloud.arm.store import Asset, AssetVersion
from localcloud.seams import Cloud

EVENT_TYPE = "Microsoft.MachineLearningServices.ModelRegistered"


def announce(cloud: Cloud, asset: Asset, version: AssetVersion) -> None:
    """Publish the event of a first registration. Tags and changes never raise one."""
    if asset.kind != "models" or asset.scope.is_registry:
        return
    data = {
        "ModelName": asset.name,
        "ModelVersion": version.version,
        "ModelTags": version.properties.get("tags") or {},
        "ModelProperties": version.properties.get("properties") or {},
    }
    cloud.events.publish(asset.scope.arm_id, f"models/{asset.name}:{version.version}", EVENT_TYPE, data)
