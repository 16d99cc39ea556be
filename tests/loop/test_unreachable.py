"""When storage or Azure cannot be reached, the doors answer within seconds, and say what Azure Monitor tries again."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from azure.storage.blob import BlobServiceClient

from localcloud.supervisor import Stack
from tests.loop.alerts import metric_alert
from tests.loop.policies import policy_text
from tests.loop.waiting import wait_until

ACTION_GROUP_SECONDS = 10.0
"""How long an action group waits for its first answer (facts: functions.md, section 3)."""
ENDPOINT = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-local/providers"
    "/Microsoft.MachineLearningServices/workspaces/ml-local/onlineEndpoints/churn"
)


@contextmanager
def nobody_listens() -> Iterator[str]:
    """An https address at which connections are refused, as long as the block lasts."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"https://127.0.0.1:{bound.getsockname()[1]}"


def call(stack: Stack, method: str, door: str, body: Any = None) -> requests.Response:
    headers = {"x-functions-key": stack.env["FUNCTIONS_KEY"]}
    return requests.request(method, f"{stack.env['FUNCTIONS_URL']}/api/{door}", json=body, headers=headers, timeout=60)


def test_without_its_storage_every_door_answers_503_in_time_to_be_asked_again(tmp_path: Path) -> None:
    with nobody_listens() as nowhere:
        extra = {"UNDERSTUDY_BLOB_URL": f"{nowhere}/account", "UNDERSTUDY_QUEUE_URL": f"{nowhere}/account"}
        with Stack(tmp_path / ".local", extra=extra) as stack:
            doors: list[tuple[str, str, Any]] = [
                ("POST", "alerts", metric_alert(ENDPOINT)),
                ("POST", "alerts", {"schemaId": "no schema"}),
                ("GET", "rollouts", None),
                ("GET", "rollouts/churn/local/churn", None),
                ("POST", "rollouts/churn/local/churn/pause", {"id": "1", "reason": "r"}),
                ("GET", "dashboard", None),
                ("GET", "health", None),
            ]
            asked = time.monotonic()
            with ThreadPoolExecutor(len(doors)) as pool:
                replies = list(pool.map(lambda door: call(stack, *door), doors))
            assert time.monotonic() - asked < ACTION_GROUP_SECONDS
            assert [reply.status_code for reply in replies] == [503] * len(doors)
            assert all("Retry-After" in reply.headers for reply in replies)


def test_without_azure_an_alert_is_kept_and_answered_in_time(tmp_path: Path) -> None:
    with nobody_listens() as nowhere, Stack(tmp_path / ".local", extra={"UNDERSTUDY_ARM_URL": nowhere}) as stack:
        text = policy_text("churn", "churn", "churn", stack.settings)
        connection = stack.env["AZURE_STORAGE_CONNECTION_STRING"]
        with BlobServiceClient.from_connection_string(
            connection, connection_verify=stack.env["LOCALCLOUD_CA"]
        ) as blobs:
            blobs.get_blob_client("policies", "churn.yaml").upload_blob(text.encode())
            wait_until(
                lambda: call(stack, "GET", "health").json()["policies"] == ["churn"],
                seconds=20,
                told=lambda: "no policy",
            )
            alert = metric_alert(ENDPOINT)
            asked = time.monotonic()
            reply = call(stack, "POST", "alerts", alert)
            assert time.monotonic() - asked < ACTION_GROUP_SECONDS
            assert (reply.status_code, reply.json()["matched"][0]["action"]) == (202, "rollback")
            inbox = blobs.get_container_client("inbox")
            items = [json.loads(inbox.download_blob(name).readall()) for name in inbox.list_blob_names()]
            assert alert["data"]["essentials"]["alertId"] in [item.get("alert_id") for item in items]
