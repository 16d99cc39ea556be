"""What a subscription may have in a region, asked at the moment of the PUT and refused as a synchronous 400.

Machines are counted as 1.2 x the instances, in cores, and come back only when a delete has ended.

Cores come from the size's name (Standard_F4s_v2 has 4); the old DS and D families count differently and are listed.
"""

from __future__ import annotations

import math
import re

from localcloud.arm.batch_records import BatchEndpoint
from localcloud.arm.envelope import invalid
from localcloud.arm.store import Endpoint, Store
from localcloud.seams import AzureError
from localcloud.settings import Settings

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


def check_new_endpoint(store: Store, settings: Settings, name: str) -> None:
    """Refuse a name that the region has already, and one endpoint more than it allows.

    Online and batch endpoints count together. That they share their names too is read from their addresses, which
    are made alike (https://NAME.REGION.inference.ml.azure.com); the status of this refusal is UNCONFIRMED.
    """
    taken = {other.strip().lower() for other in settings.taken_endpoint_names.split(",")}
    taken |= {endpoint.name.lower() for endpoint in store.endpoints.values()}
    taken |= {endpoint.name.lower() for endpoint in store.batch_endpoints.values()}
    if name.lower() in taken:
        raise AzureError(
            400,
            "UserError",
            f"An endpoint with this name already exists. If you are trying to create a new endpoint, "
            f"use a different name than '{name}'.",
        )
    used, most = len(store.endpoints) + len(store.batch_endpoints), settings.endpoints_per_region
    if used >= most:
        raise AzureError(
            400,
            "InferencingClientCallFailed",
            f'"Endpoint Quota reached for subscription {settings.subscription_id}.Current usage/limit: '
            f'{used}/{most}.Please clean up existing endpoints and try again"',
        )


def check_new_deployment(store: Store, settings: Settings, endpoint: Endpoint | BatchEndpoint) -> None:
    """Refuse one deployment more than an endpoint or a region allows; online and batch ones count together."""
    if len(endpoint.deployments) >= settings.deployments_per_endpoint:
        raise invalid(f"An endpoint can have at most {settings.deployments_per_endpoint} deployments.")
    most = settings.deployments_per_region
    online = sum(len(endpoint.deployments) for endpoint in store.endpoints.values())
    used = online + sum(len(endpoint.deployments) for endpoint in store.batch_endpoints.values())
    if used >= most:
        raise AzureError(
            400,
            "InferencingClientCallFailed",
            f'"Deployment Quota reached for subscription {settings.subscription_id}.Current usage/limit: '
            f'{used}/{most}.Please clean up existing deployments and try again"',
        )
