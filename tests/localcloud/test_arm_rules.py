"""The management plane's own rules: quota, placeholders, references, steps, what an operation blocks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from localcloud.arm.durations import seconds_of
from localcloud.arm.job_placeholders import fill
from localcloud.arm.job_steps import pipeline_steps
from localcloud.arm.operations import Operations
from localcloud.arm.quota import cores_needed
from localcloud.arm.references import AssetReference, DatastorePath, asset_reference, datastore_path
from localcloud.seams import AzureError, Cloud, Json, ServingFailed
from localcloud.settings import Settings


@pytest.mark.parametrize(
    ("size", "instances", "cores"),
    [
        ("Standard_F4s_v2", 1, 8),
        ("Standard_DS2_v2", 1, 4),
        ("Standard_DS3_v2", 5, 24),
        ("Standard_E16s_v3", 1, 32),
        ("Standard_NC24ads_A100_v4", 2, 72),
    ],
)
def test_a_deployment_needs_a_fifth_more_machines_rounded_up_times_their_cores(
    size: str, instances: int, cores: int
) -> None:
    assert cores_needed(size, instances) == cores


@pytest.mark.parametrize(("text", "seconds"), [("PT5S", 5), ("PT1M30S", 90), ("PT0.5S", 0.5), ("P1DT1H", 90_000)])
def test_iso_durations_are_read(text: str, seconds: float) -> None:
    assert seconds_of(text, "field") == seconds


def test_an_absent_optional_input_takes_its_argument_along() -> None:
    command = "run $[[--a ${{inputs.a}}]] --b ${{ inputs.b }} > ${{outputs.o}}"
    assert fill(command, {"b": "2"}, {"o": "/out"}) == "run  --b 2 > /out"
    assert fill(command, {"a": "1", "b": "2"}, {"o": "/out"}) == "run --a 1 --b 2 > /out"


def test_a_placeholder_without_a_value_is_named() -> None:
    with pytest.raises(ServingFailed, match=r"\$\{\{inputs.missing\}\}"):
        fill("cat ${{inputs.missing}}", {}, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("azureml:credit:3", AssetReference(None, "models", "credit", "3", None)),
        ("azureml:credit@latest", AssetReference(None, "models", "credit", None, "latest")),
        ("azureml://registries/R/models/credit/versions/3", AssetReference("R", "models", "credit", "3", None)),
        ("azureml://registries/R/models/credit/labels/latest", AssetReference("R", "models", "credit", None, "latest")),
        ("azureml:/subscriptions/S/workspaces/W/codes/c/versions/1", AssetReference(None, "codes", "c", "1", None)),
        ("azureml://locations/L/workspaces/W/models/m/versions/2", AssetReference(None, "models", "m", "2", None)),
        ("https://example.com/model.pkl", None),
        ("azureml://datastores/d/paths/models", None),
    ],
)
def test_every_way_to_name_an_asset_is_understood(text: str, expected: AssetReference | None) -> None:
    assert asset_reference(text, "models") == expected


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("azureml://datastores/d/paths/a/b/", DatastorePath("d", "a/b")),
        ("azureml://subscriptions/S/resourcegroups/G/workspaces/W/datastores/d/paths/a", DatastorePath("d", "a")),
        ("azureml://jobs/j/outputs/o/paths/p", DatastorePath("workspaceblobstore", "azureml/j/o/p")),
        ("https://example.com/a", None),
    ],
)
def test_every_way_to_name_a_datastore_path_is_understood(uri: str, expected: DatastorePath | None) -> None:
    assert datastore_path(uri) == expected


def pipeline(**after: str) -> Json:
    """A pipeline whose steps read from each other."""
    jobs = {
        name: {
            "componentId": "c",
            "inputs": {"i": {"value": f"${{{{parent.jobs.{other}.outputs.o}}}}", "job_input_type": "literal"}},
        }
        for name, other in after.items()
    }
    return {"jobType": "Pipeline", "jobs": jobs}


def component(_: str) -> Json:
    """A component with one optional input and one output."""
    return {
        "type": "command",
        "command": "true",
        "inputs": {"i": {"type": "uri_folder", "optional": True}},
        "outputs": {"o": {"type": "uri_folder"}},
    }


def test_steps_that_wait_for_each_other_or_for_nobody_are_refused() -> None:
    with pytest.raises(AzureError, match="invalid") as cycle:
        pipeline_steps(pipeline(a="b", b="a"), component)
    assert "wait for each other" in cycle.value.details[0]["message"]
    with pytest.raises(AzureError, match="invalid") as missing:
        pipeline_steps(pipeline(a="nobody"), component)
    assert "does not exist" in missing.value.details[0]["message"]


@pytest.mark.parametrize(("lock", "sibling_blocked"), [("endpoint", True), ("resource", False)])
def test_what_a_running_operation_blocks_is_a_setting(lock: str, sibling_blocked: bool, tmp_path: Path) -> None:
    settings = Settings(operation_lock=lock)
    cloud = Cloud(settings=settings, base_url="https://localhost", folder=tmp_path, ca_file=tmp_path)

    async def provision_blue_and_ask() -> list[bool]:
        operations, finish = Operations(cloud, "workspace"), asyncio.Event()

        async def work() -> None:
            await finish.wait()

        running = operations.start("od", "/ws/onlineEndpoints/E/deployments/blue", "Put", 0, work, lambda _: None)
        asked = [
            _is_refused(operations, "/ws/onlineEndpoints/e/deployments/blue"),
            _is_refused(operations, "/ws/onlineEndpoints/e/deployments/green"),
            _is_refused(operations, "/ws/onlineEndpoints/e"),
            _is_refused(operations, "/ws/onlineEndpoints/e", whole=True),
        ]
        finish.set()
        assert running.task is not None
        await running.task
        return [*asked, _is_refused(operations, "/ws/onlineEndpoints/e", whole=True)]

    assert asyncio.run(provision_blue_and_ask()) == [True, sibling_blocked, sibling_blocked, True, False]


def _is_refused(operations: Operations, resource_id: str, *, whole: bool = False) -> bool:
    try:
        operations.refuse_overlap(resource_id, "/ws/onlineEndpoints/e", whole=whole)
    except AzureError as error:
        return error.status == 409
    return False
