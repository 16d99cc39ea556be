"""Jobs really run: code, inputs and outputs, pipelines, failures, cancelling, and models that a job registers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from azure.ai.ml import Input, MLClient, Output, command, load_component, load_job
from azure.ai.ml.entities import Environment, Job
from azure.ai.ml.exceptions import JobException

from tests.localcloud.arm_cloud import ArmCloud, new_name, until

# azure-ai-ml 1.35 downloads with what azure-storage-blob 12.31 deprecates
pytestmark = [
    pytest.mark.filterwarnings("ignore:The use of a 'BlobProperties' instance:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:content_as_bytes is deprecated:DeprecationWarning"),
]

TRAIN = """
$schema: https://azuremlschemas.azureedge.net/latest/commandComponent.schema.json
name: {name}
version: "1"
type: command
code: ./src
environment: azureml:any:1
command: >-
  python train.py ${{{{inputs.rows}}}} ${{{{outputs.model}}}}
  $[[--skip ${{{{inputs.skip}}}}]] --times ${{{{inputs.times}}}}
inputs:
  rows: {{type: uri_folder}}
  skip: {{type: integer, optional: true}}
  times: {{type: integer, default: 2}}
outputs:
  model: {{type: custom_model}}
"""
SCRIPT = """
import pathlib, sys
rows, model, *rest = sys.argv[1:]
print("arguments", rest)
text = "".join(path.read_text() for path in pathlib.Path(rows).iterdir())
pathlib.Path(model, "weights.txt").write_text(text * int(rest[rest.index("--times") + 1]))
"""
PIPELINE = """
$schema: https://azuremlschemas.azureedge.net/latest/pipelineJob.schema.json
type: pipeline
experiment_name: retrain
settings: {{default_compute: azureml:cpu}}
inputs:
  rows: {{type: uri_folder, path: ./rows}}
outputs:
  model: {{type: custom_model, name: {model}}}
jobs:
  check:
    type: command
    command: cp ${{{{inputs.model}}}}/weights.txt ${{{{outputs.copy}}}} && echo checked by $WHO
    environment: azureml:any:1
    environment_variables: {{WHO: us}}
    inputs:
      model: ${{{{parent.jobs.train.outputs.model}}}}
    outputs:
      copy: {{type: uri_file}}
  train:
    type: command
    component: azureml:{component}:1
    inputs:
      rows: ${{{{parent.inputs.rows}}}}
    outputs:
      model: ${{{{parent.outputs.model}}}}
"""


@pytest.fixture(scope="module")
def ml(arm: ArmCloud) -> MLClient:
    """The SDK, with the environment that the jobs name."""
    arm.ml.environments.create_or_update(Environment(name="any", version="1", image="mcr.microsoft.com/any"))
    return arm.ml


def ended(ml: MLClient, job: Job) -> str:
    """The job's last status."""

    def status() -> str | None:
        now = ml.jobs.get(job.name).status
        return next((end for end in ("Completed", "Failed", "Canceled") if end == now), None)

    return until(status)


def log_of(arm: ArmCloud, job: Job) -> str:
    """What the job printed."""
    return str(arm.call("GET", f"{arm.url}/joblogs/{job.name}").text)


def test_a_pipeline_of_a_registered_component_trains_and_registers_its_named_model(
    arm: ArmCloud, ml: MLClient, tmp_path: Path
) -> None:
    component, model = new_name("train").replace("-", "_"), new_name("model")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text(SCRIPT)
    (tmp_path / "train.yml").write_text(TRAIN.format(name=component))
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "rows.csv").write_text("1,2\n")
    (tmp_path / "job.yml").write_text(PIPELINE.format(component=component, model=model))
    made = ml.components.create_or_update(load_component(str(tmp_path / "train.yml")))
    assert ml.components.get(component, "1").id == made.id

    job = ml.jobs.create_or_update(load_job(str(tmp_path / "job.yml")))

    assert ended(ml, job) == "Completed", log_of(arm, job)
    registered = ml.models.get(model, "1")
    assert (registered.type, registered.job_name) == ("custom_model", job.name)
    ml.models.download(model, "1", download_path=str(tmp_path / "downloaded"))
    weights = next((tmp_path / "downloaded").rglob("weights.txt"))
    assert weights.read_text() == "1,2\n1,2\n"
    ml.jobs.download(job.name, output_name="model", download_path=str(tmp_path / "outputs"))
    assert list((tmp_path / "outputs").rglob("weights.txt"))
    assert "arguments ['--times', '2']" in log_of(arm, job)
    assert "checked by us" in log_of(arm, job)
    assert job.name in {found.name for found in ml.jobs.list()}


def test_a_command_job_gets_its_inputs_as_values_and_paths(arm: ArmCloud, ml: MLClient, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("read me")
    job = ml.jobs.create_or_update(
        command(
            command="echo ${{inputs.number}}; cat ${{inputs.notes}}; ls; echo $AZUREML_RUN_ID > ${{outputs.made}}/id",
            code=str(tmp_path),
            environment="azureml:any:1",
            inputs={"number": 7, "notes": Input(type="uri_file", path=str(tmp_path / "notes.txt"))},
            outputs={"made": Output(type="uri_folder")},
            compute="cpu",
        )
    )

    assert ended(ml, job) == "Completed", log_of(arm, job)

    assert log_of(arm, job).split("\n")[:2] == ["7", "read menotes.txt"]
    ml.jobs.download(job.name, output_name="made", download_path=str(tmp_path / "down"))
    assert next((tmp_path / "down").rglob("id")).read_text().strip() == job.name


@pytest.mark.parametrize(("line", "outcome"), [("echo done", "Completed"), ("echo done; exit 1", "Failed")])
def test_the_log_of_a_job_that_has_ended_is_downloaded(ml: MLClient, tmp_path: Path, line: str, outcome: str) -> None:
    job = ml.jobs.create_or_update(command(command=line, environment="azureml:any:1", compute="cpu"))
    assert ended(ml, job) == outcome

    ml.jobs.download(job.name, download_path=str(tmp_path))

    assert (tmp_path / "artifacts" / "user_logs" / "std_log.txt").read_text() == "done\n"


def test_a_command_that_fails_fails_the_job_with_its_last_output(ml: MLClient) -> None:
    job = ml.jobs.create_or_update(command(command="echo no rows; exit 3", environment="azureml:any:1", compute="cpu"))

    assert ended(ml, job) == "Failed"

    with pytest.raises(JobException, match=r"exited with 3\. Its last output:.*no rows"):
        ml.jobs.stream(job.name)


def test_the_first_step_that_fails_fails_the_pipeline_and_its_dependants_never_start(arm: ArmCloud) -> None:
    name, job = new_name("part").replace("-", "_"), new_name("job")
    folder = {"type": "uri_folder"}
    bad = {"type": "command", "command": "echo broken; false", "outputs": {"o": folder}}
    late = {"type": "command", "command": "echo never", "inputs": {"i": folder}, "outputs": {}}
    for version, spec in (("1", bad), ("2", late)):
        path = f"{arm.workspace_id}/components/{name}/versions/{version}"
        assert arm.call("PUT", path, {"properties": {"componentSpec": spec}}).status_code == 201
    reads = {"i": {"value": "${{parent.jobs.first.outputs.o}}", "job_input_type": "literal"}}
    jobs = {"second": {"componentId": f"{name}:2", "inputs": reads}, "first": {"componentId": f"{name}:1"}}
    path = f"{arm.workspace_id}/jobs/{job}"
    assert arm.call("PUT", path, {"properties": {"jobType": "Pipeline", "jobs": jobs}}).status_code == 201

    def failed() -> bool | None:
        return arm.call("GET", path).json()["properties"]["status"] == "Failed" or None

    until(failed)

    details = arm.call("GET", f"{arm.url}/history/v1.0{arm.workspace_id}/runs/{job}/details").json()
    assert "first exited with 1. Its last output:\nbroken" in details["error"]["error"]["message"]
    assert "never" not in arm.call("GET", f"{arm.url}/joblogs/{job}").text


def test_a_cancelled_job_ends_with_everything_that_it_started(arm: ArmCloud, ml: MLClient, tmp_path: Path) -> None:
    marker = tmp_path / "alive"
    script = f"(while true; do touch {marker}; sleep 0.05; done) & wait"
    job = ml.jobs.create_or_update(command(command=script, environment="azureml:any:1", compute="cpu"))
    until(lambda: marker.exists() or None)

    ml.jobs.begin_cancel(job.name).result()

    assert ml.jobs.get(job.name).status == "Canceled"
    marker.unlink(missing_ok=True)
    other = ml.jobs.create_or_update(command(command="sleep 0.3", environment="azureml:any:1", compute="cpu"))
    assert ended(ml, other) == "Completed"
    assert not marker.exists()


def test_a_job_that_cannot_run_is_refused_when_it_is_sent(arm: ArmCloud) -> None:
    def put(properties: Mapping[str, object]) -> str:
        reply = arm.call("PUT", f"{arm.workspace_id}/jobs/{new_name('job')}", {"properties": properties})
        assert reply.status_code == 400
        return reply.text

    assert "Only Command and Pipeline".lower() in put({"jobType": "Sweep"}).lower()
    assert "needs a command" in put({"jobType": "Command"})
    assert "at least one step" in put({"jobType": "Pipeline"})
    missing = {"jobType": "Pipeline", "jobs": {"a": {"componentId": "azureml:nobody:1"}}}
    assert "was not found" in put(missing)
