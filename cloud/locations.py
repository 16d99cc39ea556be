"""What a region has for Azure Machine Learning: sizes of machines, and how many cores of a family are used.

learn.microsoft.com/rest/api/azureml (virtual-machine-sizes, usages). The two name a family differently
(`standardDSv2Family`, `Standard DSv2 Family Cluster Dedicated vCPUs`). Managed online endpoints draw on the same cores,
and take those sizes that have `MIR` among their compute types.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cloud.arm import Arm

API_VERSION = "2024-10-01"
_PROVIDER = "Microsoft.MachineLearningServices"
_OF_ENDPOINTS = "mir"


@dataclass(frozen=True)
class Size:
    """One size of machine."""

    name: str
    family: str
    cores: int
    for_endpoints: bool


@dataclass(frozen=True)
class Usage:
    """Cores of a family, or of all of them together; `limit` is None where there is none."""

    name: str
    used: int
    limit: int | None

    @property
    def left(self) -> int | None:
        """Cores that may still be taken; None: as many as one likes."""
        return None if self.limit is None else max(0, self.limit - self.used)


class Locations:
    """Reads of a subscription's regions."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    def sizes(self, subscription_id: str, region: str) -> dict[str, Size]:
        """Sizes by name in lower case."""
        found = self._arm.pages(f"{_path(subscription_id, region)}/vmSizes", API_VERSION)
        sizes = [
            Size(
                str(one["name"]),
                str(one.get("family") or ""),
                int(one.get("vCPUs") or 0),
                _OF_ENDPOINTS in {str(kind).lower() for kind in one.get("supportedComputeTypes") or ()},
            )
            for one in found
        ]
        return {one.name.lower(): one for one in sizes}

    def usages(self, subscription_id: str, region: str, family: str) -> tuple[Usage, ...]:
        """The counters that a machine of the family draws on: the family's own, and that of all dedicated cores."""
        wanted = f"{_plain(family)}clusterdedicatedvcpus"
        kinds = {f"{_PROVIDER}/vmFamily/usages".lower(), f"{_PROVIDER}/dedicatedCores/usages".lower()}
        found = []
        for one in self._arm.pages(f"{_path(subscription_id, region)}/usages", API_VERSION):
            name, kind = str((one.get("name") or {}).get("value") or ""), str(one.get("type") or "").lower()
            if kind in kinds and ("dedicatedcores" in kind or _plain(name) == wanted):
                limit = int(one.get("limit") or 0)
                found.append(Usage(name, int(one.get("currentValue") or 0), None if limit < 0 else limit))
        return tuple(found)


def _path(subscription_id: str, region: str) -> str:
    return f"/subscriptions/{subscription_id}/providers/{_PROVIDER}/locations/{region}"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
