"""The ARM body of a batch candidate: the default deployment's own with the policy laid over, or the policy alone.

Pure.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from cloud.batch import workspace_of
from cloud.errors import Permanent
from policy.model import BatchSettings, DeploymentSettings
from rollout.bodies import MADE_BY, TAG, copied_properties, iso, lay_code
from rollout.names import settings_digest

Json = dict[str, Any]


def batch_body(
    like: Mapping[str, Any] | None,
    endpoint: Mapping[str, Any],
    settings: DeploymentSettings,
    model_id: str,
    policy: str,
) -> Json:
    """The body to PUT. Permanent when a first version's policy does not say enough."""
    body = _copied(like) if like is not None else _first(endpoint, settings)
    properties = body["properties"]
    properties["model"] = {"referenceType": "Id", "assetId": model_id}
    lay_code(settings, properties)
    if settings.instance_count is not None:
        properties["resources"] = {**(properties.get("resources") or {}), "instanceCount": settings.instance_count}
    _lay(settings.batch, properties, str(endpoint["id"]))
    body["tags"] = {**(body.get("tags") or {}), TAG: policy, MADE_BY: settings_digest(settings)}
    return body


def _lay(batch: BatchSettings, properties: Json, endpoint_id: str) -> None:
    """Put what the policy says of batch deployments over the properties."""
    said = {
        "miniBatchSize": batch.mini_batch_size,
        "maxConcurrencyPerInstance": batch.max_concurrency_per_instance,
        "errorThreshold": batch.error_threshold,
        "compute": _compute(batch.compute, endpoint_id) if batch.compute else None,
    }
    properties |= {key: value for key, value in said.items() if value is not None}
    retries = {
        "maxRetries": batch.max_retries,
        "timeout": iso(batch.mini_batch_timeout) if isinstance(batch.mini_batch_timeout, timedelta) else None,
    }
    said_of_retries = {key: value for key, value in retries.items() if value is not None}
    if said_of_retries:
        properties["retrySettings"] = {**(properties.get("retrySettings") or {}), **said_of_retries}


def _compute(written: str, endpoint_id: str) -> str:
    return written if written.startswith("/") else f"{workspace_of(endpoint_id)}/computes/{written}"


def _copied(like: Mapping[str, Any]) -> Json:
    body = {key: copy.deepcopy(like[key]) for key in ("location", "tags") if like.get(key)}
    body["properties"] = copied_properties(like)
    return body


def _first(endpoint: Mapping[str, Any], settings: DeploymentSettings) -> Json:
    if settings.batch.compute is None:
        raise Permanent(
            "the endpoint has no deployment to copy from: give `deployment.batch.compute` in the policy"
            " (and `environment` with `code` for a model that is not MLflow)"
        )
    properties = {"outputAction": "AppendRow", "outputFileName": "predictions.csv", "errorThreshold": 0}
    return {"location": endpoint["location"], "tags": {}, "properties": properties}
