"""Batch endpoints driven by the real SDK: files really scored, failures counted, the default deployment switched."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from azure.ai.ml import Input, MLClient, Output
from azure.ai.ml.entities import (
    BatchEndpoint,
    BatchJob,
    BatchRetrySettings,
    CodeConfiguration,
    Environment,
    ModelBatchDeployment,
    ModelBatchDeploymentSettings,
)

from tests.localcloud.arm_cloud import ArmCloud, new_name, until

# azure-ai-ml 1.35 downloads with what azure-storage-blob 12.31 deprecates
pytestmark = [
    pytest.mark.usefixtures("no_sticky_header"),
    pytest.mark.filterwarnings("ignore:The use of a 'BlobProperties' instance:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:content_as_bytes is deprecated:DeprecationWarning"),
]

SCRIPT = """
import os, pathlib, time

def init():
    print("model", sorted(os.listdir(os.environ["AZUREML_MODEL_DIR"])))

def run(mini_batch):
    names = [pathlib.Path(path).name for path in mini_batch]
    if "slow.txt" in names:
        time.sleep(30)
    if "broken.txt" in names:
        raise ValueError("broken on purpose")
    return [f"{name} is good" for name in names if not name.startswith("odd")]
"""

MEETING = """
import pathlib, time
met = pathlib.Path({folder!r})

def init(): pass

def run(mini_batch):
    name = pathlib.Path(mini_batch[0]).name
    (met / name).touch()
    while len(list(met.iterdir())) < 3:
        time.sleep(0.01)
    return [name]
"""


@pytest.fixture(scope="module")
def batch(arm: ArmCloud) -> str:
    """A batch endpoint whose default deployment, plain, scores tables with the model itself."""
    name = new_name("be")
    arm.model("batch-model", "1")
    path = f"{arm.workspace_id}/batchEndpoints/{name}"
    arm.ended(arm.call("PUT", path, {"location": "westeurope", "properties": {"authMode": "aadToken"}}))
    arm.ended(arm.call("PUT", f"{path}/deployments/plain", deployment_body(arm)))
    default = {"authMode": "aadToken", "defaults": {"deploymentName": "plain"}}
    arm.ended(arm.call("PUT", path, {"location": "westeurope", "properties": default}))
    return name


def deployment_body(arm: ArmCloud, **properties: object) -> dict[str, object]:
    """A raw batch deployment of the shared model."""
    model = {"referenceType": "Id", "assetId": f"{arm.workspace_id}/models/batch-model/versions/1"}
    compute = f"{arm.workspace_id}/computes/cpu"
    return {"location": "westeurope", "properties": {"model": model, "compute": compute, **properties}}


def scripted(endpoint: str, name: str, code: Path, settings: ModelBatchDeploymentSettings) -> ModelBatchDeployment:
    """A deployment with a scoring script of its own."""
    (code / "score.py").write_text(SCRIPT)
    return ModelBatchDeployment(
        name=name,
        endpoint_name=endpoint,
        model="azureml:batch-model:1",
        code_configuration=CodeConfiguration(code=str(code), scoring_script="score.py"),
        environment=Environment(name="any", version="1", image="mcr.microsoft.com/any"),
        compute="cpu",
        settings=settings,
    )


def ended(ml: MLClient, job: BatchJob) -> str:
    """The job's last status."""

    def status() -> str | None:
        now = ml.jobs.get(job.name).status
        return next((end for end in ("Completed", "Failed", "Canceled") if end == now), None)

    return until(status)


def scores(ml: MLClient, job: BatchJob, to: Path) -> list[str]:
    """The lines of the job's output, downloaded as the documentation says: from its one step."""
    (step,) = ml.jobs.list(parent_job_name=job.name)
    ml.jobs.download(step.name, output_name="score", download_path=str(to))
    return next(to.rglob("predictions.csv")).read_text().splitlines()


def test_the_default_deployment_scores_every_row_of_a_folder_of_tables(
    arm: ArmCloud, batch: str, tmp_path: Path
) -> None:
    rows = tmp_path / "rows"
    rows.mkdir()
    (rows / "a.csv").write_text("x\n0\n1\n")
    (rows / "b.csv").write_text("x\n1\n")

    job = arm.ml.batch_endpoints.invoke(batch, inputs={"rows": Input(type="uri_folder", path=str(rows))})

    assert job.status == "Preparing"
    assert ended(arm.ml, job) == "Completed"
    lines = [line.split(",") for line in scores(arm.ml, job, tmp_path / "down")]
    assert [(row, file) for row, _, file in lines] == [("0", "a.csv"), ("1", "a.csv"), ("0", "b.csv")]
    assert float(lines[0][1]) < 0.5 < float(lines[1][1])
    assert job.name in {listed.name for listed in arm.ml.batch_endpoints.list_jobs(batch)}
    listed = list(arm.ml.batch_deployments.list_jobs(batch, name="plain"))
    assert next(one.status for one in listed if one.name == job.name) == "Completed"


def test_the_page_shows_batch_deployments_and_which_one_is_the_default(arm: ArmCloud, batch: str) -> None:
    page = requests.get(f"{arm.url}/localcloud", timeout=5).text

    assert f"<td>{batch}</td><td>Succeeded</td><td>plain</td><td>Succeeded</td><td>yes</td>" in page


def test_a_table_that_cannot_be_scored_is_counted_with_its_rows_and_the_rest_goes_on(
    arm: ArmCloud, batch: str, tmp_path: Path
) -> None:
    (tmp_path / "bad.csv").write_text("x\nnot a number\nnor this\n")
    (tmp_path / "good.csv").write_text("x\n1\n")
    one_by_one = deployment_body(arm, miniBatchSize=1, retrySettings={"maxRetries": 0, "timeout": "PT5S"})
    arm.ended(arm.call("PUT", f"{arm.workspace_id}/batchEndpoints/{batch}/deployments/single", one_by_one))

    job = arm.ml.batch_endpoints.invoke(
        batch, deployment_name="single", inputs={"rows": Input(type="uri_folder", path=str(tmp_path))}
    )

    assert ended(arm.ml, job) == "Completed"
    counts = arm.ml.jobs.get(job.name).properties
    assert (counts["batch.items"], counts["batch.failed_items"], counts["batch.failed_rows"]) == ("2", "1", "2")
    assert [line.rpartition(",")[2] for line in scores(arm.ml, job, tmp_path / "down")] == ["good.csv"]


def test_a_script_scores_mini_batches_and_what_it_does_not_return_has_failed(
    arm: ArmCloud, batch: str, tmp_path: Path
) -> None:
    code, rows = tmp_path / "code", tmp_path / "rows"
    code.mkdir()
    rows.mkdir()
    for name in ("a.txt", "b.txt", "odd.txt"):
        (rows / name).write_text("text")
    settings = ModelBatchDeploymentSettings(mini_batch_size=2, error_threshold=1)
    deployment = scripted(batch, "scripted", code, settings)
    made = arm.ml.batch_deployments.begin_create_or_update(deployment).result()
    assert (made.name, made.provisioning_state, made.mini_batch_size) == ("scripted", "Succeeded", 2)
    target = "azureml://datastores/workspaceblobstore/paths/results/mine/scores.txt"

    job = arm.ml.batch_endpoints.invoke(
        batch,
        deployment_name="scripted",
        inputs={"rows": Input(type="uri_folder", path=str(rows))},
        outputs={"score": Output(type="uri_file", path=target)},
    )

    assert ended(arm.ml, job) == "Completed"
    secrets = arm.call("POST", f"{arm.workspace_id}/datastores/workspaceblobstore/listSecrets").json()
    blob = f"{arm.env['UNDERSTUDY_BLOB_URL']}/azureml-blobstore/results/mine/scores.txt?{secrets['sasToken']}"
    assert requests.get(blob, timeout=10).text.splitlines() == ["a.txt is good", "b.txt is good"]
    assert arm.ml.jobs.get(job.name).properties["batch.failed_items"] == "1"


@pytest.mark.parametrize(
    ("file", "reason"), [("broken.txt", "broken on purpose"), ("slow.txt", "took longer than 1 s")]
)
def test_a_mini_batch_is_tried_again_and_more_failures_than_the_threshold_fail_the_job(
    arm: ArmCloud, batch: str, tmp_path: Path, file: str, reason: str
) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (tmp_path / file).write_text("text")
    retries = BatchRetrySettings(max_retries=1, timeout=1)
    settings = ModelBatchDeploymentSettings(mini_batch_size=1, error_threshold=0, retry_settings=retries)
    deployment = scripted(batch, new_name("dep"), code, settings)
    arm.ml.batch_deployments.begin_create_or_update(deployment).result()

    job = arm.ml.batch_endpoints.invoke(
        batch, deployment_name=deployment.name, inputs={"one": Input(type="uri_file", path=str(tmp_path / file))}
    )

    assert ended(arm.ml, job) == "Failed"
    (step,) = arm.ml.jobs.list(parent_job_name=job.name)
    log = arm.call("GET", f"{arm.url}/joblogs/{step.name}").text
    assert "attempt 1" in log
    assert "attempt 2" in log
    assert reason in log
    assert "error threshold is 0" in log


def test_the_sdk_creates_a_batch_endpoint_switches_its_default_and_deletes_it(arm: ArmCloud, tmp_path: Path) -> None:
    name = new_name("be")
    made = arm.ml.batch_endpoints.begin_create_or_update(BatchEndpoint(name=name, tags={"a": "b"})).result()
    assert (made.auth_mode, made.provisioning_state) == ("aad_token", "Succeeded")
    assert name in {endpoint.name for endpoint in arm.ml.batch_endpoints.list()}
    arm.model("batch-model", "1")
    path = f"{arm.workspace_id}/batchEndpoints/{name}"
    for deployment in ("one", "two"):
        arm.ended(arm.call("PUT", f"{path}/deployments/{deployment}", deployment_body(arm)))

    endpoint = arm.ml.batch_endpoints.get(name)
    endpoint.defaults.deployment_name = "two"
    arm.ml.batch_endpoints.begin_create_or_update(endpoint).result()

    assert arm.ml.batch_endpoints.get(name).defaults.deployment_name == "two"
    assert {found.name for found in arm.ml.batch_deployments.list(name)} == {"one", "two"}
    assert arm.ml.batch_deployments.get("two", name).mini_batch_size == 10
    refused = arm.call("DELETE", f"{path}/deployments/two")
    assert (refused.status_code, "default one" in refused.text) == (400, True)
    arm.ml.batch_deployments.begin_delete("one", name).result()
    assert {found.name for found in arm.ml.batch_deployments.list(name)} == {"two"}
    arm.ml.batch_endpoints.begin_delete(name).result()
    assert arm.call("GET", path).status_code == 404


def test_a_call_that_is_sent_again_gets_the_job_that_it_has(arm: ArmCloud, batch: str) -> None:
    rows = {"jobInputType": "UriFolder", "uri": "azureml://datastores/workspaceblobstore/paths/none"}
    body = {"properties": {"inputData": {"rows": rows}}}
    uri = arm.ml.batch_endpoints.get(batch).scoring_uri
    key = {"repeatability_request-id": new_name("call")}

    first, again = arm.call("POST", uri, body, **key), arm.call("POST", uri, body, **key)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["name"] == again.json()["name"]
    assert first.headers["azureml-model-deployment"] == "plain"


def test_a_call_needs_a_token_data_and_a_deployment(arm: ArmCloud, batch: str) -> None:
    uri = arm.ml.batch_endpoints.get(batch).scoring_uri
    data = {"properties": {"inputData": {"rows": {"jobInputType": "UriFolder", "uri": "https://example.com/rows"}}}}

    assert requests.post(uri, json=data, timeout=10).status_code == 401
    assert "inputData" in arm.call("POST", uri, {"properties": {}}).text
    assert arm.call("POST", uri, data, **{"azureml-model-deployment": "nobody"}).status_code == 404
    other = new_name("be")
    path = f"{arm.workspace_id}/batchEndpoints/{other}"
    arm.ended(arm.call("PUT", path, {"properties": {"authMode": "aadToken"}}))
    assert "no default deployment" in arm.call("POST", uri.replace(batch, other), data).text
    assert arm.call("PUT", path, {"properties": {"authMode": "Key"}}).status_code == 400


def test_literals_of_a_call_are_shown_with_the_job_and_other_inputs_are_refused(
    arm: ArmCloud, batch: str, tmp_path: Path
) -> None:
    (tmp_path / "good.csv").write_text("x\n1\n")
    given = {"rows": Input(type="uri_folder", path=str(tmp_path)), "run": Input(type="string", default="nightly")}

    job = arm.ml.batch_endpoints.invoke(batch, inputs=given)

    assert ended(arm.ml, job) == "Completed"
    listed = f"{arm.url}/mferp/managementfrontend{arm.workspace_id}/batchEndpoints/{batch}/jobs"
    shown = next(one for one in arm.call("GET", listed).json()["value"] if one["name"] == job.name)
    assert shown["properties"]["inputData"]["run"]["value"] == "nightly"
    uri = arm.ml.batch_endpoints.get(batch).scoring_uri
    for wrong in ({"jobInputType": "Literal", "value": "alone"}, {"jobInputType": "MLTable", "uri": "azureml://x"}):
        reply = arm.call("POST", uri, {"properties": {"inputData": {"rows": wrong}}})
        assert (reply.status_code, reply.json()["error"]["code"]) == (400, "BadRequest")


def test_a_job_scores_as_many_mini_batches_at_once_as_its_deployment_says(
    arm: ArmCloud, batch: str, tmp_path: Path
) -> None:
    code, rows = tmp_path / "code", tmp_path / "rows"
    code.mkdir()
    rows.mkdir()
    for name in ("a.txt", "b.txt", "c.txt"):
        (rows / name).write_text("text")
    settings = ModelBatchDeploymentSettings(mini_batch_size=1, max_concurrency_per_instance=3)
    deployment = scripted(batch, "at-once", code, settings)
    (code / "score.py").write_text(MEETING.format(folder=str(tmp_path / "met")))
    (tmp_path / "met").mkdir()
    arm.ml.batch_deployments.begin_create_or_update(deployment).result()

    job = arm.ml.batch_endpoints.invoke(
        batch, deployment_name="at-once", inputs={"rows": Input(type="uri_folder", path=str(rows))}
    )

    assert ended(arm.ml, job) == "Completed"
    assert scores(arm.ml, job, tmp_path / "down") == ["a.txt", "b.txt", "c.txt"]
    assert arm.ml.jobs.get(job.name).properties["batch.failed_items"] == "0"
