"""What a deployment collects and where it goes, out of its `dataCollector`: one place per collection that is on."""

from __future__ import annotations

from localcloud.arm.asset_files import AssetFiles
from localcloud.arm.datastores import CONTAINERS, DEFAULT
from localcloud.arm.envelope import invalid
from localcloud.arm.store import Deployment, Endpoint
from localcloud.seams import Json

MOST = 5
ROLLING = ("Minute", "Hour", "Day", "Month", "Year")


def collector_of(endpoint: Endpoint, wanted: Deployment, files: AssetFiles) -> Json | None:
    """For the container: source, rolling rate and {collection: rate, container, path}; None when nothing is on."""
    given = wanted.properties.get("dataCollector") or {}
    rolling = str(given.get("rollingRate") or "Hour").capitalize()
    if rolling not in ROLLING:
        raise invalid(f"rollingRate must be one of {', '.join(ROLLING)}, not {rolling!r}.", field="RollingRate")
    on = {
        name.lower(): one
        for name, one in (given.get("collections") or {}).items()
        if one["dataCollectionMode"] == "Enabled"
    }
    if len(on) > MOST:
        raise invalid(f"At most {MOST} collections can be enabled, not {len(on)}.", field="Collections")
    if not on:
        return None
    return {
        "source": f"{endpoint.arm_id}/deployments/{wanted.name}",
        "rolling": rolling,
        "collections": {name: _place(endpoint, wanted, files, name, one) for name, one in on.items()},
    }


def _place(endpoint: Endpoint, wanted: Deployment, files: AssetFiles, name: str, collection: Json) -> Json:
    rate = float(collection["samplingRate"])
    if not 0 <= rate <= 1:
        raise invalid(f"The samplingRate of {name} must be from 0 to 1, not {rate:g}.", field="SamplingRate")
    container, path = CONTAINERS[DEFAULT], f"modelDataCollector/{endpoint.name}/{wanted.name}/{name}"
    if data := collection.get("dataId"):
        container, path = files.blob_of(files.data(endpoint.scope, str(data)).uri) or (container, path)
    return {"rate": rate, "container": container, "path": path}
