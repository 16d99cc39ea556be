"""Azure's own waits: by the clock, or step by step when the run says so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from localcloud.pace import Pace
from localcloud.settings import Settings
from tests.localcloud.arm_cloud import ArmCloud, running, until


@pytest.fixture(scope="module")
def stepped(arm: ArmCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArmCloud]:
    """A cloud in which nothing of the three kinds passes by itself. After the shared one, whose environment returns."""
    with running(tmp_path_factory.mktemp("stepped") / ".local", Settings(stepped="all")) as cloud:
        yield cloud


def step(cloud: ArmCloud, what: str) -> int:
    reply = requests.post(f"{cloud.url}/localcloud/step", json={"what": what}, timeout=5)
    assert reply.status_code == 200, reply.text
    return int(reply.json()[what])


def state(cloud: ArmCloud, endpoint: str) -> str:
    return str(cloud.call("GET", cloud.endpoint_path(endpoint)).json()["properties"]["provisioningState"])


def test_an_operation_ends_at_the_step_and_not_before(stepped: ArmCloud) -> None:
    accepted = stepped.put_traffic("by-step", {})
    assert state(stepped, "by-step") == "Creating"

    assert until(lambda: step(stepped, "operations") or None) == 1

    assert stepped.ended(accepted)["status"] == "Succeeded"
    assert state(stepped, "by-step") == "Succeeded"


def test_rows_are_visible_from_the_step_on(stepped: ArmCloud) -> None:
    event = {
        "name": "Event",
        "time": "2026-01-01T00:00:00Z",
        "iKey": stepped.stack.settings.instrumentation_key,
        "data": {"baseType": "MessageData", "baseData": {"ver": 2, "message": "stepped"}},
    }
    assert requests.post(f"{stepped.url}/v2.1/track", json=[event], timeout=5).status_code == 200
    assert rows(stepped, "AppTraces") is None, "the service has nothing to show yet"

    assert step(stepped, "ingestion") == 1

    assert rows(stepped, "AppTraces") == [["stepped"]]


def rows(cloud: ArmCloud, table: str) -> list[Any] | None:
    path = f"{cloud.url}/v1/workspaces/{cloud.env['LOG_ANALYTICS_WORKSPACE_ID']}/query"
    token = cloud.credential.get_token("https://api.loganalytics.io/.default").token
    reply = requests.post(
        path,
        json={"query": f"{table} | project Message", "timespan": "P1D"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=20,
    )
    return None if reply.status_code == 204 else list(reply.json()["tables"][0]["rows"])


def test_a_cloud_that_goes_by_the_clock_refuses_to_step(arm: ArmCloud) -> None:
    reply = requests.post(
        f"{arm.url}/localcloud/step", json={"what": "alerts"}, timeout=5, verify=arm.env["LOCALCLOUD_CA"]
    )

    assert reply.status_code == 409
    assert "by the clock" in reply.json()["error"]["message"]


def test_a_step_lets_go_what_waits_and_nothing_that_comes_later() -> None:
    async def story() -> tuple[int, bool, bool]:
        pace = Pace("operations")
        early = asyncio.create_task(pace.wait("operations", 99))
        await asyncio.sleep(0)
        released = pace.step("operations")
        late = asyncio.create_task(pace.wait("operations", 99))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        ended = early.done(), late.done()
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)
        assert pace.status() == {"operations": 0, "ingestion": None, "alerts": None}
        return released, *ended

    assert asyncio.run(story()) == (1, True, False)


def test_a_kind_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="'sleep' is not one of operations, ingestion, alerts, all"):
        Pace("operations,sleep")
