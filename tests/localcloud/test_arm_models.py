"""Models, code and data as assets: what the SDK registers, in the workspace and in the registry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.ai.ml import MLClient
from azure.ai.ml.entities import Data, Model
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from tests.localcloud.arm_cloud import ArmCloud, new_name, until
from tests.localcloud.hook import running_hook
from tests.web_server import Handler, serving


@pytest.fixture(scope="module")
def registry(arm: ArmCloud) -> MLClient:
    """The SDK on the registry."""
    return arm.registry()


@pytest.fixture
def model_url(arm: ArmCloud) -> Iterator[str]:
    """A web server outside of Azure that has a model file."""
    data = (arm.model_folder() / "model.joblib").read_bytes()

    class Site(Handler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(data)

    with serving(Site) as address:
        yield f"{address}/files/model.joblib"


def test_a_local_folder_is_uploaded_and_registered_with_the_next_version(arm: ArmCloud) -> None:
    name = new_name("model")
    first = arm.model(name)
    second = arm.model(name)

    assert (first.version, second.version) == ("1", "2")
    assert "/datastores/workspaceblobstore/paths/LocalUpload/" in str(first.path)
    assert first.id == f"{arm.workspace_id}/models/{name}/versions/1"
    assert first.creation_context is not None
    assert first.creation_context.created_at is not None


def test_a_model_may_be_a_file_a_datastore_path_or_a_url_and_each_can_be_served(arm: ArmCloud, model_url: str) -> None:
    name = new_name("model")
    file = arm.ml.models.create_or_update(Model(name=name, path=str(arm.model_folder() / "model.joblib")))
    arm.ml.models.create_or_update(Model(name=name, path=file.path))
    arm.ml.models.create_or_update(Model(name=name, path=model_url))
    endpoint = arm.endpoint()

    for version in ("1", "2", "3"):
        model = f"{arm.workspace_id}/models/{name}/versions/{version}"
        reply = arm.put_deployment(endpoint, f"from-{version}", model=model)
        assert arm.ended(reply)["status"] == "Succeeded"


def test_latest_is_the_newest_created_and_not_the_highest_number(arm: ArmCloud) -> None:
    name = new_name("model")
    arm.model(name, "9")
    arm.model(name, "2")

    assert arm.ml.models.get(name, label="latest").version == "2"
    assert [model.version for model in arm.ml.models.list(name)] == ["2", "9"]
    assert {model.name: model.latest_version for model in arm.ml.models.list()}[name] == "2"


def test_tags_and_stage_change_by_a_put_of_the_whole_and_the_files_cannot(arm: ArmCloud, tmp_path: Path) -> None:
    model = arm.model(new_name("model"), "1")
    model.tags = {"stage": "production"}
    model.stage = "Production"
    arm.ml.models.create_or_update(model)

    read = arm.ml.models.get(model.name, "1")
    assert (read.tags, read.stage) == ({"stage": "production"}, "Production")
    assert [found.version for found in arm.ml.models.list(model.name, stage="Production")] == ["1"]
    assert [found.version for found in arm.ml.models.list(model.name, stage="Development")] == []
    (tmp_path / "other.txt").write_text("other")
    with pytest.raises(HttpResponseError, match="Asset paths cannot be updated"):
        arm.ml.models.create_or_update(Model(name=model.name, version="1", path=str(tmp_path)))


def test_an_archived_version_is_left_out_of_lists_until_it_is_restored(arm: ArmCloud) -> None:
    name = new_name("model")
    arm.model(name, "1")
    arm.model(name, "2")

    arm.ml.models.archive(name, "1")
    assert [model.version for model in arm.ml.models.list(name)] == ["2"]
    assert arm.ml.models.get(name, "1").version == "1"
    arm.ml.models.restore(name, "1")
    assert [model.version for model in arm.ml.models.list(name)] == ["2", "1"]


def test_an_unknown_version_is_404_whatever_its_code_says(arm: ArmCloud) -> None:
    with pytest.raises(ResourceNotFoundError, match="UserError"):
        arm.ml.models.get("nobody", "1")


def test_data_is_uploaded_and_registered(arm: ArmCloud, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a\n1\n")
    name = new_name("data")
    arm.ml.data.create_or_update(Data(name=name, version="1", path=str(tmp_path), type="uri_folder"))
    assert arm.ml.data.get(name, "1").type == "uri_folder"


def test_a_registry_model_is_created_listed_tagged_archived_and_deployed(arm: ArmCloud, registry: MLClient) -> None:
    name = new_name("model")
    made = registry.models.create_or_update(Model(name=name, version="1", path=str(arm.model_folder())))
    second = registry.models.create_or_update(Model(name=name, path=str(arm.model_folder())))

    assert made.id == f"azureml://registries/{arm.stack.settings.registry}/models/{name}/versions/1"
    assert second.version == "2"
    assert registry.models.get(name, label="latest").version == "2"
    made.tags = {"stage": "production"}
    registry.models.create_or_update(made)
    assert registry.models.get(name, "1").tags == {"stage": "production"}
    registry.models.archive(name, "2")
    assert [model.version for model in registry.models.list(name)] == ["1"]
    assert name in {model.name for model in registry.models.list()}
    endpoint = arm.endpoint()
    assert arm.ended(arm.put_deployment(endpoint, "blue", model=made.id))["status"] == "Succeeded"


def test_a_workspace_model_is_shared_to_the_registry(arm: ArmCloud, registry: MLClient) -> None:
    model = arm.model(new_name("model"), "1")
    model.tags = {"a": "b"}
    arm.ml.models.create_or_update(model)
    settings = arm.stack.settings

    arm.ml.models.share(
        name=model.name,
        version="1",
        registry_name=settings.registry,
        share_with_name=model.name,
        share_with_version="7",
    )

    shared = registry.models.get(model.name, "7")
    assert shared.tags == {"a": "b"}


def test_the_first_registration_of_a_workspace_model_is_announced_once_and_a_tag_never(arm: ArmCloud) -> None:
    topic = f"{arm.workspace_id}/providers/Microsoft.EventGrid/eventSubscriptions/{new_name('sub')}"
    with running_hook() as hook:
        destination = {"endpointType": "WebHook", "properties": {"endpointUrl": hook.url}}
        subscription = {"properties": {"destination": destination, "eventDeliverySchema": "EventGridSchema"}}
        until(lambda: arm.call("PUT", topic, subscription).ok or None)
        try:
            name = new_name("model")
            model = arm.model(name, "1")
            model.tags = {"changed": "later"}
            arm.ml.models.create_or_update(model)
            arm.registry().models.create_or_update(Model(name=name, version="8", path=str(arm.model_folder())))
            arm.model(name, "2")

            def told() -> list[str]:
                subjects = [event["subject"] for delivery in hook.deliveries for event in delivery]
                return [one for one in subjects if name in one]

            until(lambda: f"models/{name}:2" in told() or None)

            assert told() == [f"models/{name}:1", f"models/{name}:2"]
        finally:
            arm.call("DELETE", topic)
