"""What a region has: sizes of machines, and how many cores of each family are used, by Azure ML's documented shapes."""

from __future__ import annotations

import re

from aiohttp import web

from localcloud.arm.paths import LOCATIONS, PROVIDER, any_case
from localcloud.arm.quota import cores_needed, cores_of
from localcloud.arm.store import Store
from localcloud.seams import Cloud, Json

FAMILIES = {
    "DSv2": ("Standard_DS2_v2", "Standard_DS3_v2", "Standard_DS4_v2", "Standard_DS5_v2"),
    "FSv2": ("Standard_F2s_v2", "Standard_F4s_v2", "Standard_F8s_v2", "Standard_F16s_v2"),
    "DSv3": ("Standard_D2s_v3", "Standard_D4s_v3", "Standard_D8s_v3"),
    "DASv4": ("Standard_D2as_v4", "Standard_D4as_v4", "Standard_D8as_v4"),
    "ESv3": ("Standard_E2s_v3", "Standard_E4s_v3", "Standard_E8s_v3"),
    "NCASv3_T4": ("Standard_NC4as_T4_v3",),
}
CLUSTERS_ONLY = {"DSv2": ("Standard_DS1_v2",)}
"""Sizes that managed endpoints do not take: their compute types lack `MIR`."""


class Locations:
    """The handlers of `locations/{location}`."""

    def __init__(self, cloud: Cloud, store: Store) -> None:
        self._settings, self._store = cloud.settings, store

    def add_routes(self, app: web.Application) -> None:
        """Azure's own paths."""
        app.router.add_get(any_case(f"{LOCATIONS}/vmSizes"), self.sizes)
        app.router.add_get(any_case(f"{LOCATIONS}/usages"), self.usages)

    async def sizes(self, _request: web.Request) -> web.Response:
        """The machine sizes of the region."""
        takes = ["AmlCompute", "ComputeInstance"]
        found = [_size(family, name, [*takes, "MIR"]) for family, names in FAMILIES.items() for name in names]
        found += [_size(family, name, takes) for family, names in CLUSTERS_ONLY.items() for name in names]
        return web.json_response({"value": found})

    async def usages(self, request: web.Request) -> web.Response:
        """Cores that online deployments hold, of each family and in all."""
        subscription = request.match_info["subscription"]
        used = dict.fromkeys(FAMILIES, 0)
        in_all = 0
        for endpoint in self._store.endpoints.values():
            for deployment in endpoint.deployments.values():
                size = deployment.properties.get("instanceType", "")
                cores = cores_needed(size, deployment.instances)
                in_all += cores
                family = family_of(size)
                if family is not None:
                    used[family] += cores
        limit = self._settings.quota_cores
        total = _usage(subscription, "dedicatedCores", "Total Cluster Dedicated Regional vCPUs", in_all, limit)
        each = [
            _usage(subscription, "vmFamily", f"Standard {family} Family Cluster Dedicated vCPUs", cores, limit)
            for family, cores in used.items()
        ]
        return web.json_response({"value": [total, *each]})


def family_of(size: str) -> str | None:
    """The family of a machine size; None for one that is not known."""
    return next((family for family, names in FAMILIES.items() if size.lower() in {n.lower() for n in names}), None)


def _size(family: str, name: str, takes: list[str]) -> Json:
    cores = cores_of(name)
    return {
        "name": name,
        "family": f"standard{family}Family",
        "vCPUs": cores,
        "gpus": 0,
        "osVhdSizeMB": 1047552,
        "maxResourceVolumeMB": 7168 * cores,
        "memoryGB": 3.5 * cores,
        "lowPriorityCapable": True,
        "premiumIO": True,
        "supportedComputeTypes": takes,
    }


def _usage(subscription: str, kind: str, name: str, used: int, limit: int) -> Json:
    tail = "" if kind == "dedicatedCores" else f"/{re.sub(' ', '_', name)}"
    return {
        "id": f"/subscriptions/{subscription}/usages{tail}",
        "type": f"{PROVIDER}/{kind}/usages",
        "unit": "Count",
        "currentValue": used,
        "limit": limit,
        "name": {"value": name, "localizedValue": name},
    }
