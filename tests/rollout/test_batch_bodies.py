"""The body of a batch candidate: the default deployment's own with the policy over it, or the policy alone."""

from __future__ import annotations

from typing import Any

import pytest

from cloud.errors import Permanent
from policy.load import load
from policy.model import DeploymentSettings
from rollout.batch_bodies import batch_body
from rollout.names import settings_digest
from tests.rollout.batch_world import TEXT

WORKSPACE = "/subscriptions/S/resourceGroups/G/providers/Microsoft.MachineLearningServices/workspaces/W"
ENDPOINT = {"id": f"{WORKSPACE}/batchEndpoints/nightly", "location": "westeurope"}
LIVE: dict[str, Any] = {
    "id": f"{WORKSPACE}/batchEndpoints/nightly/deployments/old",
    "location": "westeurope",
    "tags": {"team": "churn"},
    "properties": {
        "model": {"referenceType": "Id", "assetId": "old model"},
        "compute": f"{WORKSPACE}/computes/old-cluster",
        "environmentId": "an environment",
        "codeConfiguration": {"codeId": "some code", "scoringScript": "score.py"},
        "environmentVariables": {"A": "1"},
        "retrySettings": {"maxRetries": 3, "timeout": "PT30S"},
        "resources": {"instanceCount": 1, "instanceType": None},
        "outputAction": "AppendRow",
        "loggingLevel": "Info",
        "provisioningState": "Succeeded",
        "properties": {"made": "by Azure"},
    },
}


def settings(text: str = "") -> DeploymentSettings:
    """What a policy says of deployments."""
    return load(TEXT + (f"deployment:\n{text}" if text else ""), "credit.yaml").deployment


def test_all_that_the_policy_does_not_speak_of_stays_as_the_default_deployment_has_it() -> None:
    body = batch_body(LIVE, ENDPOINT, settings(), "new model", "churn")
    kept = {k: v for k, v in LIVE["properties"].items() if k not in ("provisioningState", "properties", "model")}
    assert body["properties"] == {**kept, "model": {"referenceType": "Id", "assetId": "new model"}}
    assert body["tags"] == {"team": "churn", "understudy": "churn", "understudy-settings": settings_digest(settings())}
    assert "id" not in body


def test_what_the_policy_says_is_laid_over_key_by_key() -> None:
    said = """\
  instance_count: 4
  environment_variables: {B: "2"}
  batch: {compute: big, mini_batch_size: 5, max_retries: 0, mini_batch_timeout: 90s, error_threshold: 2}
"""
    properties = batch_body(LIVE, ENDPOINT, settings(said), "m", "churn")["properties"]
    assert properties["compute"] == f"{WORKSPACE}/computes/big"
    assert properties["resources"] == {"instanceCount": 4, "instanceType": None}
    assert properties["environmentVariables"] == {"A": "1", "B": "2"}
    assert properties["retrySettings"] == {"maxRetries": 0, "timeout": "PT90S"}
    assert (properties["miniBatchSize"], properties["errorThreshold"]) == (5, 2)


def test_a_first_version_needs_a_compute_and_appends_its_rows() -> None:
    with pytest.raises(Permanent, match=r"deployment\.batch\.compute"):
        batch_body(None, ENDPOINT, settings(), "m", "churn")
    body = batch_body(None, ENDPOINT, settings("  batch: {compute: cpu}\n"), "m", "churn")
    assert body["properties"]["compute"] == f"{WORKSPACE}/computes/cpu"
    assert body["properties"]["outputAction"] == "AppendRow"
    assert body["location"] == "westeurope"


def test_the_body_that_was_read_is_not_changed() -> None:
    before = str(LIVE)
    batch_body(LIVE, ENDPOINT, settings("  instance_count: 4\n"), "m", "churn")
    assert str(LIVE) == before
