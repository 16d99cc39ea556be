"""The folder of a collection, registered as data as azure-ai-ml does it."""

from __future__ import annotations

from cloud.arm import Arm
from cloud.data_assets import COLLECTED, DataAssets
from tests.localcloud.arm_cloud import ArmCloud, new_name


def test_a_folder_is_registered_once_and_azure_ai_ml_reads_it(arm: ArmCloud) -> None:
    assets = DataAssets(Arm(arm.url, "https://management.azure.com", arm.credential))
    name, uri = new_name("collected"), f"{COLLECTED}/e/d/model_inputs"

    first = assets.folder(arm.workspace_id.lower(), name, uri)
    again = assets.folder(arm.workspace_id.lower(), name, "azureml://another")

    assert first == again == f"{arm.workspace_id.lower()}/data/{name}/versions/1"
    found = arm.ml.data.get(name, "1")
    assert (found.type, found.path) == ("uri_folder", uri)
