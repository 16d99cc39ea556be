"""Azure's own Python worker code (3.13, azure-functions 2.x) indexes and invokes every function of function_app.py.

It says nothing about what the host does: routes, keys, schedules, retries, poison queues.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.localcloud.runtime import environment

if TYPE_CHECKING:
    from tests.localcloud.arm_cloud import ArmCloud

DRIVER = environment.REPOSITORY / "tests" / "localcloud" / "runtime" / "driver.py"
NOBODY = {"policy": "nobody", "target": "nowhere", "endpoint": "none"}
PATH = "/".join(NOBODY.values())
TIMER = '{"Schedule":{"AdjustForDST":true},"ScheduleStatus":null,"IsPastDue":false}'
EVENT = {
    "id": "1",
    "topic": "/subscriptions/s/resourceGroups/r/providers/Microsoft.MachineLearningServices/workspaces/w",
    "subject": "models/nobody:1",
    "eventType": "Microsoft.MachineLearningServices.ModelRegistered",
    "eventTime": "2026-06-26T18:41:00.9584103Z",
    "data": {"ModelName": "nobody", "ModelVersion": "1", "ModelTags": {}, "ModelProperties": {}},
    "dataVersion": "2",
    "metadataVersion": "1",
}
COMMAND = {"id": "1", "reason": "a test"}
METADATA = {
    "Id": ("string", "5e1b7cd7-3a43-4a0a-bd4a-0d8b0b0a2b1c"),
    "PopReceipt": ("string", "AgAAAA=="),
    "DequeueCount": ("json", "1"),
    "InsertionTime": ("json", '"2026-06-26T18:41:00+00:00"'),
    "ExpirationTime": ("json", '"2026-07-03T18:41:00+00:00"'),
    "NextVisibleTime": ("json", '"2026-06-26T18:51:00+00:00"'),
}


def http(function: str, method: str, path: str, *, body: Any = None, **route: str) -> dict[str, Any]:
    request = {"method": method, "url": f"https://app/api/{path}", "params": route}
    return {"function": function, "inputs": [["req", "http", request | {"body": json.dumps(body) if body else ""}]]}


def timer(function: str) -> dict[str, Any]:
    return {"function": function, "inputs": [["timer", "json", TIMER]]}


def queued(function: str, **work: str) -> dict[str, Any]:
    return {"function": function, "inputs": [["message", "string", json.dumps(work)]], "metadata": METADATA}


CALLS = [
    {"function": "on_model_registered", "inputs": [["event", "json", json.dumps(EVENT)]]},
    timer("discover_versions"),
    timer("advance_rollouts"),
    timer("export_logs"),
    timer("measure_drift"),
    queued("reconcile", **NOBODY),
    queued("export_window", since="2026-06-26T18:00:00Z", until="2026-06-26T19:00:00Z", **NOBODY),
    queued("drift_endpoint", **NOBODY),
    queued("publish_events", key="nobody", **NOBODY),
    http("on_alert", "POST", "alerts", body={"schemaId": "something else"}),
    http("list_rollouts", "GET", "rollouts"),
    http("get_rollout", "GET", f"rollouts/{PATH}", **NOBODY),
    http("command_rollout", "POST", f"rollouts/{PATH}/pause", body=COMMAND, action="pause", **NOBODY),
    http("dashboard", "GET", "dashboard"),
    http("health", "GET", "health"),
]


@pytest.fixture(scope="module")
def told(arm: ArmCloud) -> dict[str, Any]:
    """What the worker code made of the app and of one call of each function, against a real local cloud."""
    try:
        interpreter = environment.python()
    except environment.Missing as reason:
        pytest.skip(f"the real runtime cannot be run: {reason}")
    order = {"app": str(environment.REPOSITORY), "calls": CALLS}
    own = {key: value for key, value in os.environ.items() if not key.startswith(("UNDERSTUDY_", "PYTHON"))}
    ended = subprocess.run(
        [interpreter, DRIVER],
        input=json.dumps(order),
        env={**own, **arm.env, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    answer: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return answer


def test_every_function_of_the_app_is_indexed_and_called_here(told: dict[str, Any]) -> None:
    assert told["problem"] is None
    assert set(told["indexed"]) == {call["function"] for call in CALLS}


@pytest.mark.parametrize("call", CALLS, ids=[call["function"] for call in CALLS])
def test_the_real_worker_invokes_the_function(told: dict[str, Any], call: dict[str, Any]) -> None:
    result = next(one for one in told["results"] if one["function"] == call["function"])

    assert result["ok"], result["error"]


@pytest.mark.parametrize(
    ("function", "status"),
    [("list_rollouts", 200), ("get_rollout", 404), ("command_rollout", 404), ("on_alert", 400), ("dashboard", 200)],
)
def test_an_http_function_answers_through_the_real_worker(told: dict[str, Any], function: str, status: int) -> None:
    result = next(one for one in told["results"] if one["function"] == function)

    assert int(result["answer"]["status"]) == status, result["answer"]["body"]
