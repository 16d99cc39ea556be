"""Shadow traffic: copies of unpinned live requests that no client can ever notice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from tests.localcloud.scoring_stand import Stand, eventually, scoring_stand

STUCK = "import time\ndef init(): pass\ndef run(raw_data):\n    time.sleep(1)\n    raise ValueError(raw_data)\n"
HEADERS = """
import json
def init(): pass
def run(raw_data, request_headers):
    headers = {name.lower(): value for name, value in request_headers.items()}
    print(json.dumps([headers["x-request-id"], headers["x-ms-client-request-id"]]))
    return 1
"""


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with scoring_stand(tmp_path_factory.mktemp("mirror"), mirror_queue=5) as running:
        yield running


def test_the_shadow_gets_the_same_ids_and_the_client_the_live_answer(stand: Stand) -> None:
    stand.deploy("twins", "live")
    stand.deploy("twins", "shadow", HEADERS)
    stand.route("twins", {"live": 100}, {"shadow": 100})

    reply = stand.post("twins", x_ms_client_request_id="abc")

    assert json.loads(reply.text)["deployment"] == "live"
    line = eventually(lambda: stand.rows("ConsoleLog", DeploymentName="shadow"))[0]["Message"]
    assert json.loads(line) == [reply.headers["x-request-id"], "abc"]
    [copy] = eventually(lambda: stand.rows("TrafficLog", DeploymentName="shadow"))
    [live] = eventually(lambda: stand.rows("TrafficLog", DeploymentName="live"))
    assert copy["XRequestId"] == live["XRequestId"]
    assert (copy["_mirrored"], live["_mirrored"]) == (True, False)


def test_requests_that_name_a_deployment_are_not_mirrored(stand: Stand) -> None:
    stand.deploy("pinned", "live-2")
    stand.deploy("pinned", "shadow-2")
    stand.route("pinned", {"live-2": 100}, {"shadow-2": 100})

    stand.post("pinned", azureml_model_deployment="live-2")
    unpinned = stand.post("pinned")

    rows = eventually(lambda: stand.rows("TrafficLog", DeploymentName="shadow-2"))
    assert [row["XRequestId"] for row in rows] == [unpinned.headers["x-request-id"]]


def test_a_slow_and_failing_shadow_costs_the_client_nothing_and_loses_copies_that_are_counted(stand: Stand) -> None:
    stand.deploy("stuck", "live-3", max_concurrent_requests_per_instance=10)
    stand.deploy("stuck", "shadow-3", STUCK, max_concurrent_requests_per_instance=1)
    stand.route("stuck", {"live-3": 100}, {"shadow-3": 50})

    async def many() -> list[tuple[int, float]]:
        replies = [await asyncio.gather(*(stand.send("stuck") for _ in range(10))) for _ in range(10)]
        return [(reply.status, reply.seconds) for batch in replies for reply in batch]

    replies = stand.run(many())

    assert {status for status, _ in replies} == {200}
    assert max(seconds for _, seconds in replies) < 0.9
    [mirrored] = [one for one in stand.run(stand.serving.mirrored()) if one["deployment"] == "shadow-3"]
    assert mirrored["dropped"] > 0
    [row, *_] = eventually(lambda: stand.rows("TrafficLog", DeploymentName="shadow-3"))
    assert (row["ResponseCode"], row["ModelStatusCode"]) == (424, 500)
