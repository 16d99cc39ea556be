"""Autoscale settings of deployments (learn.microsoft.com/rest/api/monitor/autoscalesettings), as raw ARM bodies.

Azure Machine Learning knows nothing of them: they are resources of their own that name the deployment as their target,
at most one for each. They are looked for in the endpoint's resource group, where the portal and the documented commands
make them; one that lies elsewhere is not seen. Writes take effect at once: there is no operation to wait for.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass

from cloud.arm import Arm, Json
from cloud.errors import Permanent

API_VERSION = "2022-10-01"
_GROUP = re.compile(r"/subscriptions/[^/]+/resourcegroups/[^/]+", re.IGNORECASE)


@dataclass(frozen=True)
class Setting:
    """One autoscale setting as read."""

    id: str
    body: Json

    @property
    def enabled(self) -> bool:
        """Whether it scales; Azure's default is that it does not."""
        return bool(self._properties.get("enabled"))

    @property
    def target(self) -> str:
        """The id of the resource that it scales, in lower case."""
        return str(self._properties.get("targetResourceUri") or "").lower().rstrip("/")

    @property
    def _properties(self) -> Json:
        found: Json = self.body.get("properties") or {}
        return found


class Autoscale:
    """Reads and writes of autoscale settings."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    def of(self, deployment_id: str) -> tuple[Setting, ...]:
        """The settings that scale a deployment, in one list call."""
        return tuple(one for one in self._in_group(deployment_id) if one.target == deployment_id.lower())

    def carry(self, source_id: str, target_id: str) -> int:
        """Give a deployment the settings of another, unless it has some; how many were written."""
        there = self._in_group(source_id)
        if any(one.target == target_id.lower() for one in there):
            return 0
        found = [one for one in there if one.target == source_id.lower()]
        for setting in found:
            name = f"autoscale-{target_id.rstrip('/').rsplit('/', 1)[-1]}"
            path = f"{_collection(source_id)}/{name}"
            self._arm.put(path, API_VERSION, for_another(setting.body, source_id, target_id, name))
        return len(found)

    def remove(self, deployment_id: str) -> None:
        """Delete the settings of a deployment that is about to be deleted."""
        for setting in self.of(deployment_id):
            self._arm.delete(setting.id, API_VERSION)

    def _in_group(self, resource_id: str) -> list[Setting]:
        bodies = self._arm.pages(_collection(resource_id), API_VERSION)
        return [Setting(str(body["id"]), body) for body in bodies]


def for_another(body: Json, source_id: str, target_id: str, name: str) -> Json:
    """The body of a setting, speaking of another deployment wherever it spoke of `source_id`.

    A rule that watches the endpoint, or anything else, goes on watching it.
    """
    made = {key: copy.deepcopy(body[key]) for key in ("location", "tags") if body.get(key)}
    moved = _moved(copy.deepcopy(body["properties"]), source_id, target_id)
    return {**made, "properties": {**moved, "name": name, "targetResourceUri": target_id}}


def _moved(value: Json, source_id: str, target_id: str) -> Json:
    old_name, new_name = source_id.rsplit("/", 1)[-1].lower(), target_id.rsplit("/", 1)[-1]
    for profile in value.get("profiles") or []:
        for rule in profile.get("rules") or []:
            trigger = rule.get("metricTrigger") or {}
            if str(trigger.get("metricResourceUri") or "").lower().rstrip("/") == source_id.lower():
                trigger["metricResourceUri"] = target_id
            for dimension in trigger.get("dimensions") or []:
                if str(dimension.get("DimensionName", "")).lower() == "deployment":
                    dimension["Values"] = [new_name if str(v).lower() == old_name else v for v in dimension["Values"]]
    return value


def _collection(resource_id: str) -> str:
    group = _GROUP.match(resource_id)
    if group is None:
        raise Permanent(f"{resource_id} names no resource group")
    return f"{group[0]}/providers/Microsoft.Insights/autoscaleSettings"
