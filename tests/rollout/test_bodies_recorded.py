"""Bodies that Azure really answered, cloned for the next version: nothing is lost, nothing that Azure makes is sent."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from cloud.endpoints import Deployment, writable
from policy.model import DeploymentSettings
from rollout.bodies import WITHOUT_EGRESS, candidate_body, doubts
from rollout.collector import with_own_folders
from tests.localcloud.beside import SHARED

RECORDING = SHARED / "recordings" / "online_endpoint_lifecycle.json"
REGISTRY_MODEL = "azureml://registries/contoso/models/card/versions/2"
NOTHING = DeploymentSettings()
WS = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
MADE_BY_AZURE = {"id", "name", "type", "systemData"}


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    """The deployment of the recording as a GET showed it after its operation had ended."""
    if not RECORDING.exists():
        pytest.skip("the recordings are not here")
    entries = json.loads(RECORDING.read_text())["Entries"]
    shown = [
        e["ResponseBody"] for e in entries if e.get("RequestMethod") == "GET" and "/deployments/" in e["RequestUri"]
    ]
    body: dict[str, Any] = shown[-1]
    return body


def cloned(body: dict[str, Any], settings: DeploymentSettings = NOTHING, model: str = REGISTRY_MODEL) -> dict[str, Any]:
    return candidate_body(body, {"location": "eastus2"}, settings, model, "credit", 3)


def test_a_recorded_deployment_is_cloned_whole(recorded: dict[str, Any]) -> None:
    made = cloned(recorded)

    kept = set(recorded["properties"]) - {"provisioningState", "properties", "model"}
    assert {key: made["properties"][key] for key in kept} == {key: recorded["properties"][key] for key in kept}
    assert made["properties"]["model"] == REGISTRY_MODEL
    assert made["sku"] == {**recorded["sku"], "capacity": 3}
    assert not MADE_BY_AZURE & set(made)
    assert "AzureAsyncOperationUri" not in json.dumps(made)


def test_a_recorded_deployment_is_scaled_by_sending_it_back_with_another_capacity(recorded: dict[str, Any]) -> None:
    assert Deployment("d", recorded).instances == 1
    sent = writable(recorded)

    assert not MADE_BY_AZURE & set(sent)
    assert "provisioningState" not in sent["properties"]
    assert sent["properties"]["model"] == recorded["properties"]["model"]


def variant(recorded: dict[str, Any], **properties: Any) -> dict[str, Any]:
    """The recorded body with other properties."""
    body = copy.deepcopy(recorded)
    body["properties"] |= properties
    return body


@pytest.mark.parametrize(
    "properties",
    [
        pytest.param({"environmentId": None, "codeConfiguration": None}, id="an MLflow model without code"),
        pytest.param({"modelMountPath": "/var/models"}, id="several models packed in one, mounted where they say"),
        pytest.param({"livenessProbe": {"period": "PT1S"}, "readinessProbe": None}, id="probes of its own"),
        pytest.param({"scaleSettings": {"scaleType": "TargetUtilization", "maxInstances": 9}}, id="scale settings"),
        pytest.param({"egressPublicNetworkAccess": "Disabled"}, id="closed egress"),
        pytest.param({"privateNetworkConnection": True}, id="a private network"),
        pytest.param({"requestSettings": {"maxQueueWait": "PT1S", "requestTimeout": "PT90S"}}, id="request settings"),
        pytest.param({"dataCollector": {"rollingRate": "Minute", "collections": {}}}, id="a data collector"),
        pytest.param({"ofNextYear": {"x": 1}}, id="a setting that nobody knows yet"),
    ],
)
def test_what_the_live_one_has_its_successor_has(recorded: dict[str, Any], properties: dict[str, Any]) -> None:
    made = cloned(variant(recorded, **properties))

    assert {key: made["properties"][key] for key in properties} == properties


def test_a_users_own_entries_stay_and_azures_are_left_out(recorded: dict[str, Any]) -> None:
    entries = {"AzureAsyncOperationUri": "https://x", "azureml.onlineendpointid": "y", "team": "risk"}

    assert cloned(variant(recorded, properties=entries))["properties"]["properties"] == {"team": "risk"}


def test_a_users_own_identity_is_sent_without_what_azure_knows_of_it(recorded: dict[str, Any]) -> None:
    known = {"principalId": "p", "clientId": "c"}
    identity = {"type": "UserAssigned", "tenantId": "t", "userAssignedIdentities": {"/subscriptions/s/id": known}}

    made = cloned({**recorded, "identity": identity})

    assert made["identity"] == {"type": "UserAssigned", "userAssignedIdentities": {"/subscriptions/s/id": {}}}


def test_a_registry_model_behind_closed_egress_is_told_of(recorded: dict[str, Any]) -> None:
    closed = variant(recorded, egressPublicNetworkAccess="Disabled")

    assert doubts(cloned(closed)) == (WITHOUT_EGRESS,)
    assert doubts(cloned(recorded)) == ()
    assert doubts(cloned(closed, model=f"{WS}/models/card/versions/2")) == ()


def test_a_candidate_collects_into_folders_of_its_own_and_into_those_that_the_user_chose(
    recorded: dict[str, Any],
) -> None:
    own, chosen = f"{WS}/data/credit-Blue-model_inputs/versions/1", f"{WS}/data/all-answers/versions/4"
    collections = {"model_inputs": {"dataId": own, "samplingRate": 0.5}, "model_outputs": {"dataId": chosen}, "x": {}}
    live = variant(recorded, dataCollector={"collections": collections})

    made = with_own_folders(cloned(live), "credit", "blue", lambda collection: f"new/{collection}")

    assert made["properties"]["dataCollector"]["collections"] == {
        "model_inputs": {"dataId": "new/model_inputs", "samplingRate": 0.5},
        "model_outputs": {"dataId": chosen},
        "x": {},
    }
    assert live["properties"]["dataCollector"]["collections"]["model_inputs"]["dataId"] == own
    assert with_own_folders(cloned(recorded), "credit", "blue", lambda _: "never") == cloned(recorded)
