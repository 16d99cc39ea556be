"""Every call in the table of facts/azureml-wire.md, section 2, made by the real SDK: what it sends, and that it works.

The requests are asserted too: they are what a stand-in must answer, and an SDK that sends others needs a new look.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.ai.ml import Input
from azure.ai.ml.constants._endpoint import EndpointInvokeFields
from azure.ai.ml.entities import (
    BatchEndpoint,
    DataCollector,
    DeploymentCollection,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    Model,
    ModelBatchDeployment,
    ModelBatchDeploymentSettings,
)

from tests.localcloud.arm_cloud import SIZE, ArmCloud, new_name
from tests.localcloud.spy import requests_seen

ONLINE, ONLINE_DEPLOYMENTS = "(2022-02-01-preview)", "(2023-04-01-preview)"
BATCH, BATCH_DEPLOYMENTS = "(2023-10-01)", "(2024-01-01-preview)"
DISCOVERY = "GET /registrymanagement/v1.0/registries/contoso-models/discovery (v1.0)"
GET_WS = "GET WS (2024-10-01-preview)"


@pytest.fixture(autouse=True)
def no_sticky_header() -> Iterator[None]:
    """The SDK keeps a pinned deployment's name in a module's dict and sends it with every later call."""
    yield
    EndpointInvokeFields.DEFAULT_HEADER.pop(EndpointInvokeFields.MODEL_DEPLOYMENT, None)


@pytest.fixture(scope="module")
def live(arm: ArmCloud) -> str:
    """An online endpoint with one deployment, blue, that takes all traffic."""
    return arm.endpoint("blue", traffic={"blue": 100})


@pytest.fixture(scope="module")
def batch(arm: ArmCloud) -> str:
    """A batch endpoint with one deployment, one, which is the default."""
    name = new_name("be")
    arm.model("table-model", "1")
    path = f"{arm.workspace_id}/batchEndpoints/{name}"
    model = {"referenceType": "Id", "assetId": f"{arm.workspace_id}/models/table-model/versions/1"}
    arm.ended(arm.call("PUT", path, {"properties": {"authMode": "aadToken"}}))
    properties = {"model": model, "compute": f"{arm.workspace_id}/computes/cpu"}
    arm.ended(arm.call("PUT", f"{path}/deployments/one", {"properties": properties}))
    default = {"authMode": "aadToken", "defaults": {"deploymentName": "one"}}
    arm.ended(arm.call("PUT", path, {"properties": default}))
    return name


def test_workspaces_get(arm: ArmCloud) -> None:
    with requests_seen(arm) as seen:
        assert arm.ml.workspaces.get(arm.stack.settings.workspace).location == "westeurope"
    assert seen[0] == GET_WS


def test_online_endpoints_create_and_delete(arm: ArmCloud) -> None:
    name = new_name("ep")
    with requests_seen(arm, E=name) as seen:
        made = arm.ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=name)).result()
    assert made.provisioning_state == "Succeeded"
    assert seen == [GET_WS, f"PUT WS/onlineEndpoints/E {ONLINE}", f"GET WS/onlineEndpoints/E {ONLINE}"]

    with requests_seen(arm, E=name) as seen:
        arm.ml.online_endpoints.begin_delete(name).result()
    assert seen == [f"DELETE WS/onlineEndpoints/E {ONLINE}"]


def test_online_endpoints_get_and_list(arm: ArmCloud, live: str) -> None:
    with requests_seen(arm, E=live) as seen:
        assert arm.ml.online_endpoints.get(live).traffic == {"blue": 100}
        assert live in {endpoint.name for endpoint in arm.ml.online_endpoints.list()}
    assert seen == [
        f"GET WS/onlineEndpoints/E {ONLINE}",
        f"GET WS/onlineEndpoints/E/deployments {ONLINE}",
        f"GET WS/onlineEndpoints {ONLINE}",
    ]


def test_keys_are_read_and_made_anew(arm: ArmCloud, live: str) -> None:
    with requests_seen(arm, E=live) as seen:
        before = arm.ml.online_endpoints.get_keys(live)
    assert seen == [f"GET WS/onlineEndpoints/E {ONLINE}", f"POST WS/onlineEndpoints/E/listKeys {ONLINE}"]

    with requests_seen(arm, E=live) as seen:
        arm.ml.online_endpoints.begin_regenerate_keys(live, key_type="secondary").result()
    assert seen == [
        f"GET WS/onlineEndpoints/E {ONLINE}",
        f"POST WS/onlineEndpoints/E/listKeys {ONLINE}",
        f"POST WS/onlineEndpoints/E/regenerateKeys {ONLINE}",
    ]
    after = arm.ml.online_endpoints.get_keys(live)
    assert (after.primary_key, after.secondary_key != before.secondary_key) == (before.primary_key, True)


def test_an_aml_token_is_given_for_an_endpoint_that_wants_one(arm: ArmCloud) -> None:
    name = new_name("ep")
    arm.ended(arm.call("PUT", arm.endpoint_path(name), {"properties": {"authMode": "AMLToken"}}))
    with requests_seen(arm, E=name) as seen:
        token = arm.ml.online_endpoints.get_keys(name)
    assert seen == [f"GET WS/onlineEndpoints/E {ONLINE}", f"POST WS/onlineEndpoints/E/token {ONLINE}"]
    assert token.expiry_time_utc - token.refresh_after_time_utc == 12 * 3600


def test_online_endpoints_invoke(arm: ArmCloud, live: str, tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    request.write_text('{"data": [{"x": 1.0}]}')
    with requests_seen(arm, E=live) as seen:
        assert "predictions" in arm.ml.online_endpoints.invoke(live, request_file=str(request))
    steps = [f"GET WS/onlineEndpoints/E {ONLINE}", f"POST WS/onlineEndpoints/E/listKeys {ONLINE}", "POST /E/score"]
    assert seen == steps

    with requests_seen(arm, E=live) as seen:
        arm.ml.online_endpoints.invoke(live, deployment_name="blue", request_file=str(request))
    assert seen == [f"GET WS/onlineEndpoints/E/deployments {ONLINE}", *steps]


def test_online_deployments_of_a_registry_model_with_a_collector(arm: ArmCloud, live: str) -> None:
    model = new_name("model")
    made = arm.registry().models.create_or_update(Model(name=model, version="1", path=str(arm.model_folder())))
    deployment = ManagedOnlineDeployment(
        name="green",
        endpoint_name=live,
        model=made.id,
        instance_type=SIZE,
        instance_count=1,
        data_collector=DataCollector(collections={"model_inputs": DeploymentCollection(enabled="true")}),
    )

    with requests_seen(arm, E=live, N=model) as seen:
        arm.ml.online_deployments.begin_create_or_update(deployment).result()

    puts = [line for line in seen if line.startswith("PUT")]
    assert puts[0].startswith("PUT WS/data/E-green-model_inputs/versions/1 ")
    assert puts[1:] == [f"PUT WS/onlineEndpoints/E/deployments/green {ONLINE_DEPLOYMENTS}"]
    assert seen[0] == f"GET WS/onlineEndpoints/E {ONLINE_DEPLOYMENTS}"
    assert DISCOVERY in seen
    assert any(line.startswith("GET /mferp/managementfrontendREG/models/N/versions/1") for line in seen)
    assert seen[-1] == f"GET WS/onlineEndpoints/E/deployments/green {ONLINE_DEPLOYMENTS}"


def test_online_deployments_get_list_logs_and_delete(arm: ArmCloud, live: str) -> None:
    assert arm.ended(arm.put_deployment(live, "spare"))["status"] == "Succeeded"
    path = "WS/onlineEndpoints/E/deployments"
    with requests_seen(arm, E=live) as seen:
        assert arm.ml.online_deployments.get("spare", live).instance_count == 1
        assert "spare" in {deployment.name for deployment in arm.ml.online_deployments.list(live)}
        assert isinstance(arm.ml.online_deployments.get_logs("spare", live, lines=10), str)
        arm.ml.online_deployments.begin_delete("spare", live).result()
    assert seen == [
        f"GET {path}/spare {ONLINE_DEPLOYMENTS}",
        f"GET {path} {ONLINE_DEPLOYMENTS}",
        f"POST {path}/spare/getLogs {ONLINE_DEPLOYMENTS}",
        f"DELETE {path}/spare {ONLINE_DEPLOYMENTS}",
    ]


def test_batch_endpoints_create_get_list_and_delete(arm: ArmCloud) -> None:
    name = new_name("be")
    with requests_seen(arm, B=name) as seen:
        arm.ml.batch_endpoints.begin_create_or_update(BatchEndpoint(name=name)).result()
        arm.ml.batch_endpoints.get(name)
        assert name in {endpoint.name for endpoint in arm.ml.batch_endpoints.list()}
        arm.ml.batch_endpoints.begin_delete(name).result()
    assert seen == [
        GET_WS,
        f"PUT WS/batchEndpoints/B {BATCH}",
        f"GET WS/batchEndpoints/B {BATCH}",
        f"GET WS/batchEndpoints/B {BATCH}",
        f"GET WS/batchEndpoints {BATCH}",
        f"DELETE WS/batchEndpoints/B {BATCH}",
    ]


def test_batch_set_default(arm: ArmCloud, batch: str) -> None:
    with requests_seen(arm, B=batch) as seen:
        endpoint = arm.ml.batch_endpoints.get(batch)
        endpoint.defaults.deployment_name = "one"
        arm.ml.batch_endpoints.begin_create_or_update(endpoint).result()
    assert seen[:3] == [f"GET WS/batchEndpoints/B {BATCH}", GET_WS, f"PUT WS/batchEndpoints/B {BATCH}"]


def test_batch_deployments_create(arm: ArmCloud, batch: str) -> None:
    deployment = ModelBatchDeployment(
        name="two",
        endpoint_name=batch,
        model="azureml:table-model:1",
        compute="cpu-cluster",
        settings=ModelBatchDeploymentSettings(mini_batch_size=3),
    )
    with requests_seen(arm, B=batch) as seen:
        arm.ml.batch_deployments.begin_create_or_update(deployment).result()
    path = "WS/batchEndpoints/B/deployments/two"
    assert [line for line in seen if "/models/" not in line][:3] == [
        f"GET WS/batchEndpoints/B {BATCH_DEPLOYMENTS}",
        GET_WS,
        f"PUT {path} {BATCH_DEPLOYMENTS}",
    ]


def test_batch_endpoints_invoke_and_list_jobs(arm: ArmCloud, batch: str) -> None:
    data = Input(type="uri_folder", path="azureml://datastores/workspaceblobstore/paths/none")
    with requests_seen(arm, B=batch) as seen:
        job = arm.ml.batch_endpoints.invoke(batch, inputs={"rows": data})
    assert seen == [f"GET WS/batchEndpoints/B {BATCH}", "POST /batch/B/jobs"]

    with requests_seen(arm, B=batch) as seen:
        arm.ml.batch_endpoints.invoke(batch, deployment_name="one", inputs={"rows": data})
    assert seen[0].startswith("GET WS/batchEndpoints/B/deployments (")
    assert seen[1:] == [f"GET WS/batchEndpoints/B {BATCH}", "POST /batch/B/jobs"]

    with requests_seen(arm, B=batch) as seen:
        assert job.name in {one.name for one in arm.ml.batch_endpoints.list_jobs(batch)}
    assert seen == [
        GET_WS,
        "GET /discovery",
        "GET /mferp/managementfrontendWS/batchEndpoints/B/jobs (2020-09-01-dataplanepreview)",
    ]
