"""Online deployments: real models brought up by operations, and what Azure refuses before one starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.ai.ml.entities import CodeConfiguration, Environment, ManagedOnlineDeployment, Model
from azure.core.exceptions import HttpResponseError

from tests.localcloud.arm_cloud import SIZE, ArmCloud, new_name

SCRIPT = """
import os

def init():
    print("model folder:", sorted(os.listdir(os.environ["AZUREML_MODEL_DIR"])))

def run(raw_data):
    return {"said": os.environ["GREETING"]}
"""


@pytest.fixture(scope="module")
def endpoint(arm: ArmCloud) -> str:
    """An endpoint with one good deployment, blue, that takes all traffic."""
    return arm.endpoint("blue", traffic={"blue": 100})


def refused(reply: requests.Response) -> str:
    """The text of a service-side refusal."""
    assert reply.status_code == 400, reply.text
    return str(reply.json()["error"]["details"][0]["message"])


def score(arm: ArmCloud, endpoint: str, deployment: str) -> Any:
    """One pinned call."""
    keys = arm.ml.online_endpoints.get_keys(endpoint)
    headers = {"Authorization": f"Bearer {keys.primary_key}", "azureml-model-deployment": deployment}
    uri = arm.ml.online_endpoints.get(endpoint).scoring_uri
    reply = requests.post(uri, json={"data": [{"x": 1.0}]}, headers=headers, timeout=10)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_the_sdk_deploys_a_model_with_its_own_scoring_script(arm: ArmCloud, endpoint: str, tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text(SCRIPT)
    arm.model("scripted", "1")
    deployment = ManagedOnlineDeployment(
        name="scripted",
        endpoint_name=endpoint,
        model="azureml:scripted:1",
        code_configuration=CodeConfiguration(code=str(tmp_path), scoring_script="score.py"),
        environment=Environment(name="any", version="1", image="mcr.microsoft.com/any"),
        environment_variables={"GREETING": "hello"},
        instance_type=SIZE,
        instance_count=1,
    )

    made = arm.ml.online_deployments.begin_create_or_update(deployment).result()

    assert made.provisioning_state == "Succeeded"
    assert "scripted" in {found.name for found in arm.ml.online_deployments.list(endpoint)}
    assert arm.ml.online_endpoints.get(endpoint).traffic == {"blue": 100, "scripted": 0}
    assert score(arm, endpoint, "scripted") == {"said": "hello"}
    log = arm.ml.online_deployments.get_logs("scripted", endpoint, lines=50)
    assert "model folder: ['classifier']" in log
    arm.ml.online_deployments.begin_delete("scripted", endpoint).result()
    assert "scripted" not in {found.name for found in arm.ml.online_deployments.list(endpoint)}


def test_a_deployment_shows_its_defaults_only_after_its_operation(arm: ArmCloud, endpoint: str) -> None:
    reply = arm.put_deployment(endpoint, "late", egressPublicNetworkAccess="disabled")

    properties = reply.json()["properties"]
    assert reply.status_code == 201
    assert "x-ms-ratelimit-remaining-subscription-resource-requests" in reply.headers
    assert "/mfeOperationsStatus/od:" in reply.headers["Azure-AsyncOperation"]
    assert properties["provisioningState"] == "Updating"
    assert properties["requestSettings"]["requestTimeout"] == "PT0S"
    assert properties["livenessProbe"] is None
    assert properties["egressPublicNetworkAccess"] == "Disabled"
    assert properties["scaleSettings"] == {"scaleType": "Default"}
    assert arm.ended(reply)["status"] == "Succeeded"
    after = arm.call("GET", f"{arm.endpoint_path(endpoint)}/deployments/late").json()["properties"]
    assert after["requestSettings"]["requestTimeout"] == "PT5S"
    assert after["livenessProbe"]["period"] == "PT10S"

    changed = arm.put_deployment(endpoint, "late", egressPublicNetworkAccess="Enabled")
    assert "egressPublicNetworkAccess" in refused(changed)


def test_a_container_that_does_not_come_up_fails_the_operation_and_cannot_be_updated(
    arm: ArmCloud, endpoint: str
) -> None:
    missing = "azureml://datastores/workspaceblobstore/paths/not/there"
    arm.ml.models.create_or_update(Model(name="empty", version="1", path=missing))
    model = f"{arm.workspace_id}/models/empty/versions/1"

    status = arm.ended(arm.put_deployment(endpoint, "broken", model=model))

    assert status["status"] == "Failed"
    assert status["error"]["code"] == "ResourceNotFound"
    state = arm.ml.online_deployments.get("broken", endpoint).provisioning_state
    assert state == "Failed"
    assert "unrecoverable state" in refused(arm.put_deployment(endpoint, "broken"))
    assert "not been provisioned" in refused(arm.put_traffic(endpoint, {"blue": 90, "broken": 10}))
    arm.ended(arm.call("DELETE", f"{arm.endpoint_path(endpoint)}/deployments/broken"))
    assert arm.ended(arm.put_deployment(endpoint, "broken"))["status"] == "Succeeded"


def test_the_sdk_raises_the_operations_error(arm: ArmCloud, endpoint: str, tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text("def init():\n    raise RuntimeError('no weights')\n")
    deployment = ManagedOnlineDeployment(
        name="crashes",
        endpoint_name=endpoint,
        model="azureml:shared-model:1",
        code_configuration=CodeConfiguration(code=str(tmp_path), scoring_script="score.py"),
        environment="azureml:any:1",
        instance_type=SIZE,
        instance_count=1,
    )
    with pytest.raises(HttpResponseError, match=r"\(ResourceNotReady\) User container has crashed"):
        arm.ml.online_deployments.begin_create_or_update(deployment).result()


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_deployment_that_takes_traffic_or_mirror_is_not_deleted(arm: ArmCloud, mirrored: bool) -> None:
    name = arm.endpoint("blue", "green")
    arm.ended(arm.put_traffic(name, {"blue": 100}, {"green": 10} if mirrored else {}))
    target = "green" if mirrored else "blue"

    text = refused(arm.call("DELETE", f"{arm.endpoint_path(name)}/deployments/{target}"))

    assert f"Can't delete deployment [{target}] with non-zero traffic weight" in text


def test_quota_is_a_fifth_more_machines_and_refused_at_once(arm: ArmCloud, endpoint: str) -> None:
    reply = arm.put_deployment(endpoint, "huge", capacity=50, instanceType="Standard_F64s_v2")

    text = refused(reply)
    assert reply.json()["error"]["details"][0]["code"] == "InferencingClientCreateDeploymentFailed"
    nested = json.loads(text[text.index("{") :])
    assert "Not enough quota available for Standard_F64s_v2" in nested["errors"]["VmSize"][0]
    assert "Additional needed: 3840" in nested["errors"]["VmSize"][0]
    assert arm.call("GET", f"{arm.endpoint_path(endpoint)}/deployments/huge").status_code == 404


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ({"model": "azureml:nobody:1"}, "was not found"),
        ({"instanceType": None}, "instance type is required"),
        ({"requestSettings": {"requestTimeout": "PT181S"}}, "at most 180 s"),
        ({"requestSettings": {"requestTimeout": "5 s"}}, "ISO 8601"),
    ],
)
def test_a_body_that_cannot_be_served_is_refused(
    arm: ArmCloud, endpoint: str, properties: dict[str, Any], says: str
) -> None:
    assert says in refused(arm.put_deployment(endpoint, "wrong", **properties))


def test_what_the_server_made_is_overwritten_when_a_client_sends_it_back(arm: ArmCloud, endpoint: str) -> None:
    path = f"{arm.endpoint_path(endpoint)}/deployments/blue"
    body = arm.call("GET", path).json()
    old = body["properties"]["properties"]["AzureAsyncOperationUri"]
    body["properties"]["properties"]["owner"] = "me"

    reply = arm.call("PUT", path, body)

    assert reply.status_code == 201
    assert arm.ended(reply)["status"] == "Succeeded"
    kept = arm.call("GET", path).json()["properties"]["properties"]
    assert kept["owner"] == "me"
    assert kept["AzureAsyncOperationUri"] == reply.headers["Azure-AsyncOperation"] != old


def test_an_endpoint_that_is_not_there_takes_no_deployment(arm: ArmCloud) -> None:
    assert arm.put_deployment(new_name("ep"), "blue").status_code == 404
