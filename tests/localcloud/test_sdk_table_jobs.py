"""The request table (facts/azureml-wire.md, section 2), as in test_sdk_table: the rows of jobs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from azure.ai.ml import command, load_component
from azure.ai.ml.dsl import pipeline
from azure.ai.ml.entities import Environment, PipelineJob

from tests.localcloud.arm_cloud import ArmCloud, new_name
from tests.localcloud.sdk_rows import row
from tests.localcloud.spy import requests_seen

CREATE, JOBS = "(2024-01-01-preview)", "(2023-04-01-preview)"
Whole = Callable[[], PipelineJob]


@pytest.fixture(scope="module")
def whole(arm: ArmCloud, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Makes a pipeline of one registered component."""
    arm.ml.environments.create_or_update(Environment(name="any", version="1", image="mcr.microsoft.com/any"))
    name, file = new_name("part").replace("-", "_"), tmp_path_factory.mktemp("part") / "part.yml"
    file.write_text(f"name: {name}\nversion: '1'\ntype: command\ncommand: echo done\nenvironment: azureml:any:1\n")
    part = arm.ml.components.create_or_update(load_component(str(file)))

    def steps() -> None:
        part()

    made: Whole = pipeline(steps, default_compute="cpu")
    return made


@row("jobs.create_or_update (pipeline, component refs)")
def test_jobs_create_of_component_references_and_of_an_inline_step(arm: ArmCloud, whole: Whole, tmp_path: Path) -> None:
    with requests_seen(arm) as seen:
        client = arm.fresh()
        job = client.jobs.create_or_update(whole())
    assert any(line.startswith("GET WS (") for line in seen)
    assert seen[-1] == f"PUT WS/jobs/{job.name} {CREATE}"
    assert "x-azureml-token" in seen.headers_of(f"/jobs/{job.name}")[0]

    inline = command(command="echo said inline", environment="azureml:any:1", compute="cpu")

    def steps() -> None:
        inline()

    with requests_seen(arm) as seen:
        job = arm.ml.jobs.create_or_update(pipeline(steps, default_compute="cpu")())
    component, put = [line for line in seen if line.startswith("PUT")]
    assert re.match(r"PUT WS/components/azureml_anonymous/versions/[0-9a-f-]+ ", component)
    assert put == f"PUT WS/jobs/{job.name} {CREATE}"
    assert not [line for line in seen if "PendingUpload" in line or "/codes/" in line], "no code path, no upload"
    arm.ml.jobs.stream(job.name)
    assert arm.ml.jobs.get(job.name).status == "Completed"
    assert "said inline" in arm.call("GET", f"{arm.url}/joblogs/{job.name}").text


@row("jobs.get / list / cancel")
def test_jobs_get_list_and_cancel(arm: ArmCloud, whole: Whole) -> None:
    job = arm.ml.jobs.create_or_update(whole())
    with requests_seen(arm, J=job.name) as seen:
        assert arm.ml.jobs.get(job.name).name == job.name
        assert job.name in {found.name for found in arm.ml.jobs.list()}
        arm.ml.jobs.begin_cancel(job.name).result()
    jobs = [line for line in seen if line.startswith(("GET WS/jobs", "POST"))]
    assert jobs[0] == f"GET WS/jobs/J {CREATE}"
    assert jobs[1].startswith("GET WS/jobs?")
    assert "listViewType=ActiveOnly" in jobs[1]
    assert jobs[-1] == f"POST WS/jobs/J/cancel {JOBS}"
    assert arm.ml.jobs.get(job.name).status in ("Canceled", "Completed")


@row("jobs.stream")
def test_jobs_stream(arm: ArmCloud, whole: Whole) -> None:
    job = arm.ml.jobs.create_or_update(whole())
    # A client asks for the discovery once; the shared one may have done so for another test.
    with requests_seen(arm, J=job.name) as seen:
        arm.fresh().jobs.stream(job.name)
    order = [
        next(number for number, line in enumerate(seen) if line.startswith(start))
        for start in ("GET WS/jobs/J (", "GET WS (", "GET /discovery", "GET /history/v1.0WS/runs/J/details")
    ]
    assert order == sorted(order)
    assert arm.ml.jobs.get(job.name).status == "Completed"
