"""The candidate's body: what is copied, what is laid over, and what Azure makes itself."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest

from cloud.errors import Permanent
from policy.model import Code, DeploymentSettings
from rollout.bodies import MADE_BY, TAG, candidate_body, iso
from rollout.names import settings_digest

MODEL = "/subscriptions/s/models/card/versions/2"
ENDPOINT = {"location": "westeurope", "properties": {}}
LIVE: dict[str, Any] = {
    "id": "/subscriptions/s/deployments/card-1",
    "name": "card-1",
    "type": "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments",
    "location": "westeurope",
    "tags": {"team": "risk", "understudy": "older", "understudy-settings": "older"},
    "sku": {"name": "Default", "tier": "Standard", "capacity": 3},
    "kind": "Managed",
    "identity": {"type": "SystemAssigned", "principalId": "p", "tenantId": "t"},
    "systemData": {"createdBy": "somebody"},
    "properties": {
        "endpointComputeType": "Managed",
        "model": "/subscriptions/s/models/card/versions/1",
        "instanceType": "Standard_DS3_v2",
        "environmentVariables": {"LOG": "info", "THREADS": "2"},
        "requestSettings": {"requestTimeout": "PT5S", "maxConcurrentRequestsPerInstance": 4},
        "livenessProbe": {"period": "PT10S"},
        "dataCollector": {"collections": {"model_inputs": {"dataCollectionMode": "Enabled"}}},
        "aSettingOfNextYear": {"x": [1, 2]},
        "provisioningState": "Succeeded",
        "properties": {"AzureAsyncOperationUri": "https://..."},
    },
}
NOTHING = DeploymentSettings()


def body(settings: DeploymentSettings = NOTHING, like: dict[str, Any] | None = LIVE) -> dict[str, Any]:
    return candidate_body(like, ENDPOINT, settings, MODEL, "credit")


def test_a_copy_keeps_what_the_policy_never_speaks_of_even_what_nobody_knows_yet() -> None:
    made = body()

    for kept in ("instanceType", "livenessProbe", "dataCollector", "aSettingOfNextYear", "environmentVariables"):
        assert made["properties"][kept] == LIVE["properties"][kept]
    assert made["sku"] == LIVE["sku"]
    assert made["kind"] == "Managed"


def test_a_copy_serves_the_new_version_and_is_tagged_with_the_policy() -> None:
    made = body()

    assert made["properties"]["model"] == MODEL
    assert made["tags"] == {"team": "risk", TAG: "credit", MADE_BY: settings_digest(NOTHING)}


def test_what_azure_makes_itself_is_not_sent_back() -> None:
    made = body()

    assert set(made) == {"location", "tags", "sku", "identity", "kind", "properties"}
    assert made["identity"] == {"type": "SystemAssigned"}
    assert not {"provisioningState", "properties"} & set(made["properties"])


def test_the_live_deployments_own_body_is_left_as_it_was() -> None:
    before = copy.deepcopy(LIVE)

    made = body(DeploymentSettings(instance_count=9, environment_variables={"LOG": "debug"}))
    made["properties"]["dataCollector"]["collections"].clear()

    assert before == LIVE


def test_what_the_policy_says_is_laid_over_and_the_rest_of_each_part_stays() -> None:
    made = body(
        DeploymentSettings(
            instance_type="Standard_F2s_v2",
            instance_count=2,
            environment="azureml:/subscriptions/s/environments/e/versions/1",
            code=Code(path="azureml://registries/r/codes/c/versions/1", scoring_script="score.py"),
            environment_variables={"LOG": "debug"},
            request_timeout=timedelta(seconds=90),
        )
    )

    properties = made["properties"]
    assert properties["instanceType"] == "Standard_F2s_v2"
    assert made["sku"] == {"name": "Default", "tier": "Standard", "capacity": 2}
    assert properties["environmentId"] == "/subscriptions/s/environments/e/versions/1", "ARM wants the bare id"
    assert properties["codeConfiguration"] == {
        "codeId": "azureml://registries/r/codes/c/versions/1",
        "scoringScript": "score.py",
    }
    assert properties["environmentVariables"] == {"LOG": "debug", "THREADS": "2"}
    assert properties["requestSettings"] == {"requestTimeout": "PT90S", "maxConcurrentRequestsPerInstance": 4}


def test_a_first_version_is_made_from_the_policy_and_the_endpoints_region() -> None:
    made = body(DeploymentSettings(instance_type="Standard_F2s_v2", instance_count=2), like=None)

    assert made["location"] == "westeurope"
    assert made["sku"] == {"name": "Default", "capacity": 2}
    assert made["properties"]["endpointComputeType"] == "Managed"
    assert made["properties"]["instanceType"] == "Standard_F2s_v2"
    assert made["properties"]["model"] == MODEL
    assert (made["tags"][TAG], set(made["tags"])) == ("credit", {TAG, MADE_BY})


def test_a_first_version_without_a_machine_size_is_refused_with_what_to_write() -> None:
    with pytest.raises(Permanent, match=r"deployment\.instance_type"):
        body(like=None)


def test_a_copy_of_a_body_with_empty_parts_is_whole() -> None:
    bare = {"location": "westeurope", "tags": None, "properties": {"environmentVariables": None}}

    made = body(DeploymentSettings(environment_variables={"A": "1"}), like=bare)

    assert made["properties"]["environmentVariables"] == {"A": "1"}
    assert (made["tags"][TAG], set(made["tags"])) == ("credit", {TAG, MADE_BY})


@pytest.mark.parametrize(
    ("duration", "written"),
    [(timedelta(seconds=5), "PT5S"), (timedelta(milliseconds=1500), "PT1.5S"), (timedelta(minutes=3), "PT180S")],
)
def test_durations_are_written_as_arm_writes_them(duration: timedelta, written: str) -> None:
    assert iso(duration) == written
