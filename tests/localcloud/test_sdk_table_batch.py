"""The request table (facts/azureml-wire.md, section 2), as in test_sdk_table: the rows of batch endpoints."""

from __future__ import annotations

import pytest
from azure.ai.ml import Input
from azure.ai.ml.entities import BatchEndpoint, Model, ModelBatchDeployment, ModelBatchDeploymentSettings

from tests.localcloud.arm_cloud import ArmCloud, new_name
from tests.localcloud.sdk_rows import row
from tests.localcloud.spy import requests_seen

BATCH, DEPLOYMENTS = "(2023-10-01)", "(2024-01-01-preview)"
LIST_JOBS = "(2020-09-01-dataplanepreview)"
DISCOVERY = "GET /registrymanagement/v1.0/registries/contoso-models/discovery (v1.0)"
GET_WS = "GET WS (2024-10-01-preview)"
B = "WS/batchEndpoints/B"
NONE = Input(type="uri_folder", path="azureml://datastores/workspaceblobstore/paths/none")

pytestmark = pytest.mark.usefixtures("no_sticky_header")


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


@row("batch_endpoints create/get/list/delete")
def test_batch_endpoints_create_get_list_and_delete(arm: ArmCloud) -> None:
    name = new_name("be")
    with requests_seen(arm, B=name) as seen:
        arm.ml.batch_endpoints.begin_create_or_update(BatchEndpoint(name=name)).result()
        assert arm.ml.batch_endpoints.get(name).auth_mode == "aad_token"
        assert name in {endpoint.name for endpoint in arm.ml.batch_endpoints.list()}
        arm.ml.batch_endpoints.begin_delete(name).result()
    assert seen == [
        GET_WS,
        f"PUT {B} {BATCH}",
        f"GET {B} {BATCH}",
        f"GET {B} {BATCH}",
        f"GET WS/batchEndpoints {BATCH}",
        f"DELETE {B} {BATCH}",
    ]


@row("batch set default")
def test_batch_set_default(arm: ArmCloud, batch: str) -> None:
    with requests_seen(arm, B=batch) as seen:
        endpoint = arm.ml.batch_endpoints.get(batch)
        endpoint.defaults.deployment_name = "one"
        arm.ml.batch_endpoints.begin_create_or_update(endpoint).result()
    assert seen[:3] == [f"GET {B} {BATCH}", GET_WS, f"PUT {B} {BATCH}"]
    assert seen.body_of("PUT")["properties"]["defaults"] == {"deploymentName": "one"}


@row("batch_deployments create")
def test_batch_deployments_create_of_a_registry_model(arm: ArmCloud, batch: str) -> None:
    name = new_name("model")
    model = arm.registry().models.create_or_update(Model(name=name, version="1", path=str(arm.model_folder())))
    settings = ModelBatchDeploymentSettings(mini_batch_size=3)
    deployment = ModelBatchDeployment(
        name="two", endpoint_name=batch, model=model.id, compute="cpu-cluster", settings=settings
    )
    with requests_seen(arm, B=batch, N=name) as seen:
        arm.ml.batch_deployments.begin_create_or_update(deployment).result()
    assert seen[0] == f"GET {B} {DEPLOYMENTS}"
    assert DISCOVERY in seen
    assert any(line.startswith("GET /mferp/managementfrontendREG/models/N/versions/1") for line in seen)
    assert [line for line in seen if "/models/" not in line and line != DISCOVERY][1:3] == [
        GET_WS,
        f"PUT {B}/deployments/two {DEPLOYMENTS}",
    ]
    body = seen.body_of("PUT")
    assert body["properties"]["model"] == {"referenceType": "Id", "assetId": model.id}
    assert "sku" not in body
    assert arm.ml.batch_deployments.get("two", batch).mini_batch_size == 3


@row("batch_endpoints.invoke")
def test_batch_endpoints_invoke(arm: ArmCloud, batch: str) -> None:
    with requests_seen(arm, B=batch) as seen:
        assert arm.ml.batch_endpoints.invoke(batch, inputs={"rows": NONE}).name.startswith("batchjob-")
    assert seen == [f"GET {B} {BATCH}", "POST /batch/B/jobs"]
    assert {"authorization", "repeatability_request-id"} <= seen.headers_of("/jobs")[0]

    with requests_seen(arm, B=batch) as seen:
        arm.ml.batch_endpoints.invoke(batch, deployment_name="one", inputs={"rows": NONE})
    assert seen[0].startswith(f"GET {B}/deployments (")
    assert seen[1:] == [f"GET {B} {BATCH}", "POST /batch/B/jobs"]
    assert "azureml-model-deployment" in seen.headers_of("/jobs")[0]


@row("batch list_jobs")
def test_batch_list_jobs_of_an_endpoint_and_of_a_deployment(arm: ArmCloud, batch: str) -> None:
    job = arm.ml.batch_endpoints.invoke(batch, inputs={"rows": NONE})
    with requests_seen(arm, B=batch) as seen:
        client = arm.fresh()
        assert job.name in {one.name for one in client.batch_endpoints.list_jobs(batch)}
    listed = f"/mferp/managementfrontend{B}"
    assert seen == [GET_WS, "GET /discovery", f"GET {listed}/jobs {LIST_JOBS}"]
    assert "authorization" not in seen.headers_of("/discovery")[0]

    with requests_seen(arm, B=batch) as seen:
        assert job.name in {one.name for one in client.batch_deployments.list_jobs(batch, name="one")}
    assert seen[-1] == f"GET {listed}/deployments/one/jobs {LIST_JOBS}"
