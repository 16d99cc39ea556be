"""Machine quota, asked at the moment of the PUT: 1.2 x the instances, in cores, answered as a synchronous 400.

Cores come from the size's name (Standard_F4s_v2 has 4); the old DS and D families count differently and are listed.
"""

from __future__ import annotations

import math
import re

from localcloud.arm.envelope import invalid
from localcloud.arm.store import Store
from localcloud.seams import AzureError
from localcloud.settings import Settings

MAX_ENDPOINTS = 100
MAX_DEPLOYMENTS = 500
_D_FAMILY = {"1": 1, "2": 2, "3": 4, "4": 8, "5": 16, "11": 2, "12": 4, "13": 8, "14": 16, "15": 20}
_NUMBER = re.compile(r"Standard_([A-Za-z]+?)(\d+)[a-z]*(?:_(v\d+))?", re.IGNORECASE)
_DEFAULT_CORES = 4


def cores_of(instance_type: str) -> int:
    """Cores of one machine of this size."""
    match = _NUMBER.match(instance_type or "")
    if not match:
        return _DEFAULT_CORES
    family, number, generation = match.group(1).upper(), match.group(2), (match.group(3) or "v1").lower()
    if family in ("D", "DS") and generation in ("v1", "v2"):
        return _D_FAMILY.get(number, int(number))
    return int(number)


def cores_needed(instance_type: str, instances: int) -> int:
    """Quota that one deployment holds: a fifth more machines than it runs on, for upgrades."""
    return math.ceil(1.2 * instances) * cores_of(instance_type)


def check_quota(
    store: Store, settings: Settings, endpoint_key: str, deployment: str, size: str, instances: int
) -> None:
    """Refuse a deployment that would not fit beside all the others (an update releases its own share first)."""
    used = sum(
        cores_needed(other.properties.get("instanceType", ""), other.instances)
        for key, endpoint in store.endpoints.items()
        for name, other in endpoint.deployments.items()
        if (key, name) != (endpoint_key, deployment.lower())
    )
    needed = cores_needed(size, instances)
    if used + needed > settings.quota_cores:
        raise quota_refusal(
            f"Not enough quota available for {size} in SubscriptionId {settings.subscription_id}. "
            f"Current usage/limit: {used}/{settings.quota_cores}. Additional needed: {needed} Please see "
            "troubleshooting guide, available here: https://aka.ms/oe-tsg#error-outofquota"
        )


def quota_refusal(text: str) -> AzureError:
    """The synchronous refusal of a deployment for lack of quota."""
    return invalid(
        text,
        field="VmSize",
        code="InferencingClientCreateDeploymentFailed",
        prefix="InferencingClient HttpRequest error, error detail: ",
    )


def check_endpoint_count(store: Store, settings: Settings) -> None:
    """Refuse one endpoint more than a region allows; online and batch endpoints count together."""
    used = len(store.endpoints) + len(store.batch_endpoints)
    if used >= MAX_ENDPOINTS:
        raise AzureError(
            400,
            "InferencingClientCallFailed",
            f'"Endpoint Quota reached for subscription {settings.subscription_id}.Current usage/limit: '
            f'{used}/{MAX_ENDPOINTS}.Please clean up existing endpoints and try again"',
        )


def check_deployment_count(store: Store, settings: Settings) -> None:
    """Refuse one deployment more than a region allows; online and batch deployments count together."""
    online = sum(len(endpoint.deployments) for endpoint in store.endpoints.values())
    used = online + sum(len(endpoint.deployments) for endpoint in store.batch_endpoints.values())
    if used >= MAX_DEPLOYMENTS:
        raise AzureError(
            400,
            "InferencingClientCallFailed",
            f'"Deployment Quota reached for subscription {settings.subscription_id}.Current usage/limit: '
            f'{used}/{MAX_DEPLOYMENTS}.Please clean up existing deployments and try again"',
        )
