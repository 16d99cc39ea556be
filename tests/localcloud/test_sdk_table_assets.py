"""The table of facts/azureml-wire.md, section 2, as in test_sdk_table: models, sharing, jobs and the registry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from azure.ai.ml import MLClient, load_component
from azure.ai.ml.dsl import pipeline
from azure.ai.ml.entities import Environment, Model, PipelineJob

from tests.localcloud.arm_cloud import ArmCloud, new_name
from tests.localcloud.spy import requests_seen

MODELS, REGISTRY = "(2023-08-01-preview)", "(2021-10-01-dataplanepreview)"
DISCOVERY = "GET /registrymanagement/v1.0/registries/contoso-models/discovery (v1.0)"


def test_models_of_the_workspace(arm: ArmCloud) -> None:
    name = new_name("model")
    model = arm.model(name, "1")
    path = "WS/models/N/versions"
    with requests_seen(arm, N=name) as seen:
        arm.ml.models.get(name, "1")
        assert arm.ml.models.get(name, label="latest").version == "1"
        assert name in {found.name for found in arm.ml.models.list()}
        assert [found.version for found in arm.ml.models.list(name)] == ["1"]
    assert seen[0] == f"GET {path}/1 {MODELS}"
    assert "$orderBy=createdtime desc" in seen[1]
    assert "$top=1" in seen[1]
    assert seen[2].startswith("GET WS/models?")
    assert "listViewType=ActiveOnly" in seen[2]
    assert seen[3].startswith(f"GET {path}?")

    model.tags, model.stage = {"a": "b"}, "Production"
    with requests_seen(arm, N=name) as seen:
        arm.ml.models.create_or_update(model)
    assert seen[-1] == f"PUT {path}/1 {MODELS}"
    assert arm.ml.models.get(name, "1").stage == "Production"


def test_models_archive_and_restore_of_a_version_and_of_all(arm: ArmCloud) -> None:
    name = new_name("model")
    arm.model(name, "1")
    with requests_seen(arm, N=name) as seen:
        arm.ml.models.archive(name, "1")
    assert seen == [f"GET WS/models/N/versions/1 {MODELS}", f"PUT WS/models/N/versions/1 {MODELS}"]
    arm.ml.models.restore(name, "1")

    with requests_seen(arm, N=name) as seen:
        arm.ml.models.archive(name)
    assert seen == [f"GET WS/models/N {MODELS}", f"PUT WS/models/N {MODELS}"]
    assert name not in {found.name for found in arm.ml.models.list()}
    arm.ml.models.restore(name)
    assert name in {found.name for found in arm.ml.models.list()}


def test_models_share(arm: ArmCloud) -> None:
    name, settings = new_name("model"), arm.stack.settings
    arm.model(name, "1")
    ml = arm.fresh()  # sharing asks the cloud of the client that was made last in this process
    with requests_seen(arm, N=name) as seen:
        ml.models.share(
            name=name, version="1", registry_name=settings.registry, share_with_name=name, share_with_version="1"
        )
    assert seen[:2] == [f"GET WS {MODELS}", DISCOVERY]
    assert f"GET /mferp/managementfrontendREG/models/N/versions/1 {REGISTRY}" in seen
    assert f"POST /mferp/managementfrontendREG/import {REGISTRY}" in seen


def test_jobs_create_get_list_cancel_and_stream(arm: ArmCloud, tmp_path: Path) -> None:
    arm.ml.environments.create_or_update(Environment(name="any", version="1", image="mcr.microsoft.com/any"))
    name = new_name("part").replace("-", "_")
    (tmp_path / "part.yml").write_text(
        f"name: {name}\nversion: '1'\ntype: command\ncommand: echo done\nenvironment: azureml:any:1\n"
    )
    part = arm.ml.components.create_or_update(load_component(str(tmp_path / "part.yml")))

    def steps() -> None:
        part()

    whole: Callable[[], PipelineJob] = pipeline(steps, default_compute="cpu")

    with requests_seen(arm) as seen:
        job = arm.ml.jobs.create_or_update(whole())
    assert f"PUT WS/jobs/{job.name} (2024-01-01-preview)" in seen

    # A client asks for the discovery once; the shared one may have done so for another test.
    with requests_seen(arm, J=job.name) as seen:
        arm.fresh().jobs.stream(job.name)
    assert "GET /discovery" in seen
    assert "GET /history/v1.0WS/runs/J/details (v1.0)" in seen
    assert arm.ml.jobs.get(job.name).status == "Completed"
    assert job.name in {found.name for found in arm.ml.jobs.list()}

    other = arm.ml.jobs.create_or_update(whole())
    with requests_seen(arm, J=other.name) as seen:
        arm.ml.jobs.begin_cancel(other.name).result()
    assert seen[0] == "POST WS/jobs/J/cancel (2023-04-01-preview)"


def test_the_registry_client_and_its_models(arm: ArmCloud) -> None:
    name, path = new_name("model"), "/mferp/managementfrontendREG/models/N"
    with requests_seen(arm) as seen:
        registry: MLClient = arm.registry()
    assert seen == [DISCOVERY]

    with requests_seen(arm, N=name) as seen:
        made = registry.models.create_or_update(Model(name=name, version="1", path=str(arm.model_folder())))
    assert any(line.startswith("PUT /mferp/managementfrontendREG/tempdatarefs/N/versions/1") for line in seen)
    assert f"PUT {path}/versions/1 {REGISTRY}" in seen

    made.tags = {"a": "b"}
    registry.models.create_or_update(made)
    with requests_seen(arm, N=name) as seen:
        assert registry.models.get(name, "1").tags == {"a": "b"}
        assert registry.models.get(name, label="latest").version == "1"
        assert [found.version for found in registry.models.list(name)] == ["1"]
        assert name in {found.name for found in registry.models.list()}
    assert seen[0] == f"GET {path}/versions/1 {REGISTRY}"

    with requests_seen(arm, N=name) as seen:
        registry.models.archive(name, "1")
    assert seen == [f"GET {path}/versions/1 {REGISTRY}", f"PUT {path}/versions/1 {REGISTRY}"]
    assert list(registry.models.list(name)) == []
