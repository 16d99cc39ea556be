"""An outside user's script, with the unpatched SDKs and nothing but `.local/env`, does all of Azure's daily work here.

It is the example that docs/localcloud.md points to. It runs once, in a process of its own that knows neither this
checkout's path nor this process's environment; each test reads what one of its steps printed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from localcloud.supervisor import Stack

SCRIPT = Path(__file__).resolve().parents[2] / "localcloud" / "example" / "first_script.py"
STEPS = [
    "create_endpoint", "register_in_registry", "deploy_from_registry", "set_traffic_and_mirror", "invoke", "get_logs",
    "query_tables", "query_console_log", "query_drift", "read_metrics", "run_pipeline", "share_model", "score_a_batch",
    "delete",
]  # fmt: skip

Printed = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def printed(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Printed:
    """Each step's line, after a run that went to its end."""
    done = subprocess.run(
        ["/bin/sh", "-c", 'set -a; . "$1"; set +a; exec "$2" "$3"', "sh", stack.env_file, sys.executable, SCRIPT],
        cwd=tmp_path_factory.mktemp("elsewhere"),
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=180,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    failed = [line for line in lines if "error" in line]
    assert (done.returncode, failed) == (0, []), f"{failed}\n{done.stderr[-2000:]}"
    return {line["step"]: line for line in lines}


def test_every_step_is_done_in_order(printed: Printed) -> None:
    assert list(printed) == STEPS


def test_an_endpoint_is_made(printed: Printed) -> None:
    assert printed["create_endpoint"]["state"] == "Succeeded"


def test_two_versions_of_a_registry_are_deployed(printed: Printed) -> None:
    assert all(made.startswith("azureml://registries/") for made in printed["register_in_registry"]["ids"])
    assert printed["deploy_from_registry"]["states"] == {"blue": "Succeeded", "green": "Succeeded"}


def test_traffic_and_mirror_are_read_back(printed: Printed) -> None:
    step = printed["set_traffic_and_mirror"]
    assert (step["traffic"], step["mirror"]) == ({"blue": 100}, {"green": 50})


def test_requests_go_by_the_split_or_by_the_pin(printed: Printed) -> None:
    step = printed["invoke"]
    assert (step["unpinned"], step["pinned"]) == ({"blue 200": 20}, {"green 200": 20})
    assert len(step["by_sdk"]["predictions"]) == 2


def test_get_logs_shows_what_the_scoring_script_logged(printed: Printed) -> None:
    assert json.loads(printed["get_logs"]["last"].rpartition(" | ")[2])["type"] == "OutputData"


def test_the_three_tables_have_the_rows_of_live_and_mirrored_requests(printed: Printed) -> None:
    step = printed["query_tables"]
    assert step["TrafficLog"]["blue"] == 21
    assert step["TrafficLog"]["green"] > 20, "20 pinned ones and the mirrored ones"
    assert step["ConsoleLog"]["blue"] == 42
    assert step["EventLog"].keys() == {"blue", "green"}


def test_the_scenarios_console_log_query_gives_each_feature_its_column(printed: Printed) -> None:
    step = printed["query_console_log"]
    assert step["columns"] == {"TimeGenerated": "datetime", "AGE": "long", "LIMIT_BAL": "real", "SEX": "string"}
    assert [row[1:] for row in step["rows"]] == [[30, 20000.5, "male"]] * 22, "one row per row of the 21 requests"


def test_the_scenarios_drift_queries_read_what_the_exporter_sent(printed: Printed) -> None:
    overall, features = printed["query_drift"]["overall"], printed["query_drift"]["features"]
    assert list(overall["columns"]) == ["TimeGenerated", "dataset_drift", "n_drifted_features", "n_features"]
    assert [row[1:] for row in overall["rows"]] == [[False, 1, 3]]
    assert features["columns"]["drift_score"] == "real"
    assert [row[3] for row in features["rows"]] == ["AGE", "SEX"]


def test_metrics_are_read_by_deployment(printed: Printed) -> None:
    for name in ("RequestsPerMinute", "RequestLatency_P95"):
        values = printed["read_metrics"][name]
        assert all(value > 0 for of_one in values.values() for value in of_one)
        assert {"blue", "green"} <= values.keys()


def test_a_pipelines_model_is_registered_and_shared(printed: Printed) -> None:
    assert printed["run_pipeline"]["status"] == "Completed"
    assert printed["run_pipeline"]["model"].endswith("/versions/1")
    assert printed["share_model"]["id"].startswith("azureml://registries/")


def test_a_batch_deployment_scores_each_row_of_the_files(printed: Printed) -> None:
    step = printed["score_a_batch"]
    assert step["status"] == "Completed"
    assert step["predictions"] == ["rows.csv,20,0.4378", "rows.csv,30,0.5000", "rows.csv,40,0.5622"]


def test_nothing_is_left(printed: Printed) -> None:
    assert (printed["delete"]["online"], printed["delete"]["batch"]) == ([], [])
