"""The ARM body of a candidate: the live deployment's own body with the policy laid over, or the policy alone. Pure.

Copying what Azure answered keeps what the policy never speaks of (probes, identity, network, data collector).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from cloud.endpoints import identity
from cloud.errors import Permanent
from policy.model import DeploymentSettings
from rollout.names import settings_digest

Json = dict[str, Any]

_MADE_BY_AZURE = ("provisioningState", "properties")
_ENTRIES_OF_AZURE = (
    "azureml.onlineendpointid",
    "AzureAsyncOperationUri",
    "createdAt",
    "createdBy",
    "lastModifiedAt",
    "lastModifiedBy",
)
"""What Azure writes into `properties.properties`, beside what the user keeps there."""
WITHOUT_EGRESS = (
    "the live deployment has egressPublicNetworkAccess disabled and the model is in a registry, whose storage it may"
    " then not reach: if the deployment fails to download its model, use a managed network of the workspace instead"
    " of the legacy setting, or a model of the workspace"
)
TAG = "understudy"
"""Tag on deployments that Understudy made; its value is the policy's name."""
MADE_BY = "understudy-settings"
"""Tag that tells by which `deployment` settings it was made."""


def candidate_body(
    like: Mapping[str, Any] | None,
    endpoint: Mapping[str, Any],
    settings: DeploymentSettings,
    model_id: str,
    policy: str,
    instances: int | None = None,
) -> Json:
    """The body to PUT, with `instances` in place of the policy's own number where given.

    Permanent when a first version's policy does not say enough.
    """
    body = _copied(like) if like is not None else _first(endpoint, settings)
    properties = body["properties"]
    properties["model"] = model_id
    if settings.instance_type is not None:
        properties["instanceType"] = settings.instance_type
    count = instances or settings.instance_count
    if count is not None:
        body["sku"] = {**body.get("sku", {}), "name": "Default", "capacity": count}
    lay_code(settings, properties)
    limits: Json = {}
    if settings.request_timeout is not None:
        limits["requestTimeout"] = iso(settings.request_timeout)
    if settings.max_concurrent_requests_per_instance is not None:
        limits["maxConcurrentRequestsPerInstance"] = settings.max_concurrent_requests_per_instance
    if limits:
        properties["requestSettings"] = {**(properties.get("requestSettings") or {}), **limits}
    body["tags"] = {**(body.get("tags") or {}), TAG: policy, MADE_BY: settings_digest(settings)}
    return body


def lay_code(settings: DeploymentSettings, properties: Json) -> None:
    """Put what the policy says of environment, code and variables over the properties."""
    if settings.environment is not None:
        properties["environmentId"] = arm_id(settings.environment)
    if settings.code is not None:
        properties["codeConfiguration"] = {
            "codeId": arm_id(settings.code.path),
            "scoringScript": settings.code.scoring_script,
        }
    variables = {**(properties.get("environmentVariables") or {}), **settings.environment_variables}
    properties["environmentVariables"] = variables


def copied_properties(like: Mapping[str, Any]) -> Json:
    """A copy of a deployment's properties without what Azure makes itself."""
    return {key: copy.deepcopy(value) for key, value in like["properties"].items() if key not in _MADE_BY_AZURE}


def _copied(like: Mapping[str, Any]) -> Json:
    body = {key: copy.deepcopy(like[key]) for key in ("location", "tags", "sku", "identity", "kind") if like.get(key)}
    if "identity" in body:
        body["identity"] = identity(body["identity"])
    body["properties"] = copied_properties(like)
    entries = {k: v for k, v in (like["properties"].get("properties") or {}).items() if k not in _ENTRIES_OF_AZURE}
    if entries:
        body["properties"]["properties"] = entries
    return body


def doubts(body: Mapping[str, Any]) -> tuple[str, ...]:
    """What a person should know of a body that Azure takes and that may fail all the same."""
    properties = body["properties"]
    closed = str(properties.get("egressPublicNetworkAccess") or "").lower() == "disabled"
    of_registry = str(properties.get("model") or "").lower().startswith("azureml://registries/")
    return (WITHOUT_EGRESS,) if closed and of_registry else ()


def _first(endpoint: Mapping[str, Any], settings: DeploymentSettings) -> Json:
    if settings.instance_type is None:
        raise Permanent(
            "the endpoint has no deployment to copy from: give `deployment.instance_type` in the policy"
            " (and `environment` with `code` for a model that is not MLflow)"
        )
    return {
        "location": endpoint["location"],
        "tags": {},
        "sku": {"name": "Default", "capacity": 1},
        "properties": {
            "endpointComputeType": "Managed",
            "instanceType": settings.instance_type,
            "appInsightsEnabled": True,
            "scaleSettings": {"scaleType": "Default"},
        },
    }


def arm_id(written: str) -> str:
    """An ARM id as ARM wants it: `azureml:` before an ARM id is the SDK's way to write it."""
    return written.removeprefix("azureml:") if written.startswith("azureml:/subscriptions/") else written


def iso(duration: timedelta) -> str:
    """An ISO 8601 duration in seconds, as ARM writes them."""
    seconds = duration.total_seconds()
    return f"PT{seconds:g}S"
