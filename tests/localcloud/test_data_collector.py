"""Azure ML's data collector: payloads and a script's own rows as JSON lines in the workspace's storage."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.ai.ml.entities import (
    CodeConfiguration,
    DataCollector,
    DeploymentCollection,
    Environment,
    ManagedOnlineDeployment,
)
from azure.storage.blob import BlobServiceClient

from localcloud.scoring.collector import PAYLOADS, Collector
from tests.localcloud.arm_cloud import SIZE, ArmCloud, until

SCRIPT = """
import json, os, time, urllib.request

def init():
    config = json.load(open(os.environ["AZUREML_MDC_CONFIG_PATH"]))
    assert config["collections"]["model_inputs"] == {"enabled": True, "sampleRatePercentage": 100}

def run(raw_data):
    # The wire of azureml-ai-monitoring 1.0.0.
    address = f"http://{os.environ['AZUREML_MDC_HOST']}:{os.environ['AZUREML_MDC_PORT']}/modeldata/log"
    headers = {
        "Content-Type": "application/json",
        "ce-time": str(int(time.time())),
        "ce-type": "azureml.inference.model_inputs",
        "ce-x-request-id": "mine",
        "ce-collect-data-type": "pandas.core.frame.DataFrame",
        "ce-agent": "azureml-ai-monitoring/1.0.0",
    }
    urllib.request.urlopen(urllib.request.Request(address, raw_data.encode(), headers)).read()
    return {"rows": len(json.loads(raw_data))}
"""


def blobs(arm: ArmCloud, prefix: str) -> dict[str, list[dict[str, Any]]]:
    """The JSON lines of every blob below this path of the default datastore."""
    account = BlobServiceClient.from_connection_string(arm.env["AZURE_STORAGE_CONNECTION_STRING"])
    with account, account.get_container_client("azureml-blobstore") as container:
        names = [blob.name for blob in container.list_blobs(prefix)]
        texts = {name: container.download_blob(name).readall().decode() for name in names}
    return {name: [json.loads(line) for line in text.splitlines()] for name, text in texts.items()}


def test_payloads_and_a_scripts_rows_arrive_as_lines_of_the_hour(arm: ArmCloud, tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text(SCRIPT)
    name = arm.endpoint()
    arm.model("collected-model", "3")
    arm.ml.online_deployments.begin_create_or_update(
        ManagedOnlineDeployment(
            name="blue",
            endpoint_name=name,
            model="azureml:collected-model:3",
            code_configuration=CodeConfiguration(code=str(tmp_path), scoring_script="score.py"),
            environment=Environment(name="any", version="1", image="mcr.microsoft.com/any"),
            instance_type=SIZE,
            instance_count=1,
            data_collector=DataCollector(
                collections={name: DeploymentCollection(enabled="true") for name in ("model_inputs", *PAYLOADS)}
            ),
        )
    ).result()
    arm.ended(arm.put_traffic(name, {"blue": 100}))
    key = arm.call("POST", f"{arm.endpoint_path(name)}/listKeys").json()["primaryKey"]
    uri = arm.call("GET", arm.endpoint_path(name)).json()["properties"]["scoringUri"]

    began = datetime.now(UTC)
    reply = requests.post(uri, json=[{"age": 30}], headers={"Authorization": f"Bearer {key}"}, timeout=10)
    assert reply.json() == {"rows": 1}

    def collected() -> dict[str, dict[str, Any]] | None:
        found = blobs(arm, f"modelDataCollector/{name}/blue/")
        return {path: lines[0] for path, lines in found.items()} if len(found) == 3 else None

    lines = until(collected)
    hour = f"({began:%Y/%m/%d/%H}|{datetime.now(UTC):%Y/%m/%d/%H})"
    by_collection = {}
    for path, line in lines.items():
        place = re.fullmatch(rf"modelDataCollector/{name}/blue/(\w+)/{hour}/blue-[0-9a-z-]+\.jsonl", path)
        assert place, path
        by_collection[place.group(1)] = line
    inputs, asked, answered = (by_collection[one] for one in ("model_inputs", "request", "response"))
    assert inputs["type"] == "azureml.inference.model_inputs"
    assert inputs["source"] == f"{arm.endpoint_path(name)}/deployments/blue"
    assert (inputs["data"], inputs["correlationid"], inputs["xrequestid"]) == ([{"age": 30}], "mine", "mine")
    assert (inputs["agent"], inputs["modelversion"]) == ("azureml-ai-monitoring/1.0.0", "3")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", inputs["time"])
    assert (asked["data"], answered["data"]) == ([{"age": 30}], [{"rows": 1}])
    assert (asked["path"], asked["method"]) == ("/score", "POST")
    assert asked["xrequestid"] == answered["xrequestid"] == reply.headers["x-request-id"]


@contextmanager
def collecting(folder: Path, **spec: Any) -> Iterator[Collector]:
    """A collector; what it has taken is written at the end."""
    values = {"folder": str(folder), "instance": "i", "source": "s", "model_version": "1", "batch_seconds": 60}
    made = Collector({**values, "rolling": "Hour", "collections": {"model_inputs": 1.0}, **spec})
    yield made
    made.flush()


def lines_of(folder: Path) -> list[dict[str, Any]]:
    """Everything that was written."""
    files = sorted(folder.rglob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def sent(request_id: str, name: str = "model_inputs", at: float = 1_760_000_000) -> dict[str, str]:
    """The headers of one collect() call."""
    return {"ce-type": f"azureml.inference.{name}", "ce-time": str(at), "ce-x-request-id": request_id}


def test_what_comes_close_together_is_one_line_under_the_first_ones_id(tmp_path: Path) -> None:
    with collecting(tmp_path) as collector:
        assert collector.log(sent("one"), '[{"x": 1}]') is None
        assert collector.log(sent("two"), '[{"x": 2}, {"x": 3}]') is None

    (line,) = lines_of(tmp_path)
    assert (line["correlationid"], line["data"]) == ("one", [{"x": 1}, {"x": 2}, {"x": 3}])
    assert line["contentrange"] == "bytes 0-29/30"


@pytest.mark.parametrize(
    ("rolling", "folder"),
    [("Minute", "2025/10/09/08/53"), ("Hour", "2025/10/09/08"), ("Day", "2025/10/09"), ("Year", "2025")],
)
def test_the_rolling_rate_says_how_deep_the_folders_go(tmp_path: Path, rolling: str, folder: str) -> None:
    with collecting(tmp_path, rolling=rolling) as collector:
        collector.log(sent("one"), "[1]")

    assert (tmp_path / "model_inputs" / folder / "i.jsonl").is_file()


def test_payloads_are_drawn_once_for_request_and_response(tmp_path: Path) -> None:
    rates = {"request": 0.5, "response": 0.5}
    with collecting(tmp_path, collections=rates) as collector:
        for number in range(200):
            collector.payloads(f'"q{number}"', f'"a{number}"', str(number))

    lines = {line["type"].rpartition(".")[2]: line["data"] for line in lines_of(tmp_path)}
    assert 50 < len(lines["request"]) < 150
    assert [text[1:] for text in lines["request"]] == [text[1:] for text in lines["response"]]


def test_what_is_not_enabled_or_not_json_is_refused(tmp_path: Path) -> None:
    with collecting(tmp_path) as collector:
        assert "not enabled" in str(collector.log(sent("one", "model_outputs"), "[1]"))
        assert "ce-time" in str(collector.log(sent("one"), "not json"))

    assert lines_of(tmp_path) == []


@pytest.mark.parametrize(
    ("collector", "says"),
    [
        ({"rollingRate": "Week", "collections": {}}, "rollingRate"),
        ({"collections": {"a": {"dataCollectionMode": "Enabled", "samplingRate": 2}}}, "from 0 to 1"),
        ({"collections": {f"c{n}": {"dataCollectionMode": "enabled"} for n in range(6)}}, "At most 5"),
    ],
)
def test_a_collector_that_azure_has_not_is_refused(arm: ArmCloud, collector: dict[str, Any], says: str) -> None:
    reply = arm.put_deployment(arm.endpoint(), "blue", dataCollector=collector)
    assert (reply.status_code, says in reply.text) == (400, True)
