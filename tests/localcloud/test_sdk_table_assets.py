"""The request table (facts/azureml-wire.md, section 2), as in test_sdk_table: models, sharing and the registry."""

from __future__ import annotations

import sys

import pytest
from azure.ai.ml import MLClient
from azure.ai.ml.entities import Model

from tests.localcloud.arm_cloud import ArmCloud, new_name
from tests.localcloud.sdk_rows import row
from tests.localcloud.spy import requests_seen

MODELS, REGISTRY = "(2023-08-01-preview)", "(2021-10-01-dataplanepreview)"
DISCOVERY = "GET /registrymanagement/v1.0/registries/contoso-models/discovery (v1.0)"
N, REG_N = "WS/models/N", "/mferp/managementfrontendREG/models/N"
LATEST = "versions?$orderBy=createdtime desc&$top=1"


@pytest.fixture(scope="module")
def two(arm: ArmCloud) -> str:
    """The name of a model with the versions 9 and 2, in this order."""
    name = new_name("model")
    arm.model(name, "9")
    arm.model(name, "2")
    return name


@row("models.get")
def test_models_get(arm: ArmCloud, two: str) -> None:
    with requests_seen(arm, N=two) as seen:
        assert arm.ml.models.get(two, "9").version == "9"
    assert seen == [f"GET {N}/versions/9 {MODELS}"]


@row('models.get(label="latest")')
def test_models_get_latest_is_the_newest_created(arm: ArmCloud, two: str) -> None:
    with requests_seen(arm, N=two) as seen:
        assert arm.ml.models.get(two, label="latest").version == "2"
    assert seen[0].startswith(f"GET {N}/{LATEST}")
    assert len(seen) == 1


@row("models.list() / list(name)")
def test_models_list_of_names_and_of_versions(arm: ArmCloud, two: str) -> None:
    with requests_seen(arm, N=two) as seen:
        (container,) = [found for found in arm.ml.models.list() if found.name == two]
        assert (container.version, container.latest_version) == (None, "2")
        assert [found.version for found in arm.ml.models.list(two)] == ["2", "9"]
        assert list(arm.ml.models.list(two, stage="Production")) == []
    assert seen[0] == f"GET WS/models?listViewType=ActiveOnly {MODELS}"
    assert seen[-2] == f"GET {N}/versions?listViewType=ActiveOnly {MODELS}"
    assert seen[-1] == f"GET {N}/versions?stage=Production&listViewType=ActiveOnly {MODELS}"


@row("models.create_or_update")
def test_models_create_is_201_and_an_update_200(arm: ArmCloud) -> None:
    name, place = new_name("model"), "azureml://datastores/workspaceblobstore/paths/some/model"
    arm.model(name, "4")
    with requests_seen(arm, N=name) as seen:
        made = arm.ml.models.create_or_update(Model(name=name, path=place))
    assert made.version == "5"
    assert seen[0].startswith(f"GET {N}/{LATEST}")
    assert seen[-2:] == [f"GET {N} {MODELS}", f"PUT {N}/versions/5 {MODELS}"]

    path = f"{arm.workspace_id}/models/{name}/versions/6"
    statuses = [arm.call("PUT", path, {"properties": {"modelUri": place}}).status_code for _ in range(2)]
    assert statuses == [201, 200]


@row("tag or stage change")
def test_a_tag_or_stage_change_puts_the_whole(arm: ArmCloud) -> None:
    name = new_name("model")
    arm.model(name, "1")
    with requests_seen(arm, N=name) as seen:
        model = arm.ml.models.get(name, "1")
        model.tags, model.stage = {"a": "b"}, "Production"
        arm.ml.models.create_or_update(model)
    assert seen[0] == f"GET {N}/versions/1 {MODELS}"
    assert seen[1].startswith(f"GET {N}/{LATEST}")
    assert seen[2:] == [f"PUT {N}/versions/1 {MODELS}"]
    assert seen.body_of("PUT")["properties"]["stage"] == "Production"
    assert seen.body_of("PUT")["properties"]["modelUri"] == model.path
    assert "if-match" not in seen.headers_of("/versions/1")[-1], "not atomic, no ETag"
    changed = arm.ml.models.get(name, "1")
    assert (changed.tags, changed.stage) == ({"a": "b"}, "Production")


@row("models.archive(version)")
def test_models_archive_and_restore_of_a_version_and_of_all(arm: ArmCloud) -> None:
    name = new_name("model")
    arm.model(name, "1")
    with requests_seen(arm, N=name) as seen:
        arm.ml.models.archive(name, "1")
    assert seen == [f"GET {N}/versions/1 {MODELS}", f"PUT {N}/versions/1 {MODELS}"]
    assert seen.body_of("PUT")["properties"]["isArchived"] is True
    arm.ml.models.restore(name, "1")

    with requests_seen(arm, N=name) as seen:
        arm.ml.models.archive(name)
    assert seen == [f"GET {N} {MODELS}", f"PUT {N} {MODELS}"]
    assert name not in {found.name for found in arm.ml.models.list()}
    arm.ml.models.restore(name)
    assert name in {found.name for found in arm.ml.models.list()}


@row("models.share (workspace -> registry)")
def test_models_share(arm: ArmCloud) -> None:
    name, settings = new_name("model"), arm.stack.settings
    arm.model(name, "1")
    ml = arm.fresh()  # sharing asks the cloud of the client that was made last in this process
    with requests_seen(arm, N=name) as seen:
        ml.models.share(
            name=name, version="1", registry_name=settings.registry, share_with_name=name, share_with_version="1"
        )
    assert seen[:2] == [f"GET WS {MODELS}", DISCOVERY]
    assert f"GET {REG_N}/versions/1 {REGISTRY}" in seen
    assert f"POST /mferp/managementfrontendREG/import {REGISTRY}" in seen
    assert arm.registry().models.get(name, "1").version == "1"


@row("MLClient(registry_name=R)")
def test_a_registry_client_looks_up_its_host_when_it_is_made(arm: ArmCloud) -> None:
    with requests_seen(arm) as seen:
        arm.registry()
    assert seen == [DISCOVERY]
    where = arm.call("GET", f"{arm.url}/registrymanagement/v1.0/registries/contoso-models/discovery").json()
    assert where["primaryRegionResourceProviderUri"].endswith("/"), "clients put their path right behind it"


@pytest.fixture(scope="module")
def registry(arm: ArmCloud) -> MLClient:
    """The SDK on the registry."""
    return arm.registry()


@row("registry model create / tag")
def test_registry_models_create_and_tag(arm: ArmCloud, registry: MLClient) -> None:
    name = new_name("model")
    with requests_seen(arm, N=name) as seen:
        made = registry.models.create_or_update(Model(name=name, version="1", path=str(arm.model_folder())))
    assert seen[0].startswith(f"GET {REG_N}/versions?")
    place = "PUT /mferp/managementfrontendREG/tempdatarefs/N/versions/1"
    assert [line for line in seen if line.startswith("PUT")] == [
        next(line for line in seen if line.startswith(place)),
        f"PUT {REG_N}/versions/1 {REGISTRY}",
    ]

    made.tags = {"a": "b"}
    registry.models.create_or_update(made)
    assert registry.models.get(name, "1").tags == {"a": "b"}


@row("registry models get/list/latest")
def test_registry_models_get_list_and_latest(arm: ArmCloud, registry: MLClient) -> None:
    name = new_name("model")
    for version in ("9", "2"):
        registry.models.create_or_update(Model(name=name, version=version, path=str(arm.model_folder())))
    with requests_seen(arm, N=name) as seen:
        assert registry.models.get(name, "9").id == f"azureml://registries/contoso-models/models/{name}/versions/9"
        assert registry.models.get(name, label="latest").version == "2"
        assert [found.version for found in registry.models.list(name)] == ["2", "9"]
        assert name in {found.name for found in registry.models.list()}
    assert seen[0] == f"GET {REG_N}/versions/9 {REGISTRY}"
    assert seen[1].startswith(f"GET {REG_N}/{LATEST}")
    literal = "ListViewType.ACTIVE_ONLY" if sys.version_info < (3, 12) else ""
    assert literal in seen[-1], "the SDK's own bug, which the cloud tolerates"


@row("registry archive")
def test_registry_models_archive(arm: ArmCloud, registry: MLClient) -> None:
    name = new_name("model")
    registry.models.create_or_update(Model(name=name, version="1", path=str(arm.model_folder())))
    with requests_seen(arm, N=name) as seen:
        registry.models.archive(name, "1")
    assert seen == [f"GET {REG_N}/versions/1 {REGISTRY}", f"PUT {REG_N}/versions/1 {REGISTRY}"]
    assert list(registry.models.list(name)) == []
