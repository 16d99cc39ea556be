"""What is special about models: a new version of the workspace raises ModelRegistered. Registries raise nothing."""

from __future__ import annotations

from localcloud.arm.store import Asset, AssetVersion
from localcloud.seams import Cloud

EVENT_TYPE = "Microsoft.MachineLearningServices.ModelRegistered"


#: By `Settings.model_event_shape`: the keys of `data`, and the data's version.
_SHAPES = {
    "documented": (("ModelName", "ModelVersion", "ModelTags", "ModelProperties"), ""),
    "recorded": (("modelName", "modelVersion", "modelTags", "modelProperties"), "2"),
}


def announce(cloud: Cloud, asset: Asset, version: AssetVersion) -> None:
    """Publish the event of a first registration. Tags and changes never raise one."""
    if asset.kind != "models" or asset.scope.is_registry:
        return
    values = (
        asset.name,
        version.version,
        version.properties.get("tags") or {},
        version.properties.get("properties") or {},
    )
    names, data_version = _SHAPES[cloud.settings.model_event_shape]
    data = dict(zip(names, values, strict=True))
    if "ModelVersion" in data and version.version.isdecimal():
        data["ModelVersion"] = int(version.version)
    subject = f"models/{asset.name}:{version.version}"
    cloud.events.publish(asset.scope.arm_id, subject, EVENT_TYPE, data, data_version=data_version)
