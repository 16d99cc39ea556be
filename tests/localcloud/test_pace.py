"""Azure's own waits: by the clock, or step by step when the run says so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from localcloud.pace import Pace
from localcloud.settings import Settings
from tests.localcloud.alert_bodies import log_rule
from tests.localcloud.alert_webhook import running_webhook
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


def trace(cloud: ArmCloud, message: str) -> None:
    """Send one line of telemetry, with a time that the service replaces by its own."""
    event = {
        "name": "Event",
        "time": "2026-01-01T00:00:00Z",
        "iKey": cloud.stack.settings.instrumentation_key,
        "data": {"baseType": "MessageData", "baseData": {"ver": 2, "message": message}},
    }
    assert requests.post(f"{cloud.url}/v2.1/track", json=[event], timeout=5).status_code == 200


def test_rows_are_visible_from_the_step_on(stepped: ArmCloud) -> None:
    trace(stepped, "stepped")
    assert rows(stepped, "AppTraces") is None, "the service has nothing to show yet"

    assert step(stepped, "ingestion") == 1

    assert rows(stepped, "AppTraces") == [["stepped"]]


def test_rows_that_are_late_on_order_come_late_after_the_step(stepped: ArmCloud) -> None:
    rows(stepped, "AppTraces")  # the first query loads the engine, which may take longer than the rows are late
    fault = {"kind": "rows.late", "match": "AppTraces", "seconds": 2}
    assert requests.post(f"{stepped.url}/localcloud/faults", json=fault, timeout=5).status_code == 201
    trace(stepped, "late")
    assert step(stepped, "ingestion") == 1
    assert ["late"] not in (rows(stepped, "AppTraces") or [])
    until(lambda: ["late"] in (rows(stepped, "AppTraces") or []) or None)


def evaluated(cloud: ArmCloud) -> None:
    """Let the one rule look once, and wait until it has."""

    def waits() -> int:
        return int(requests.get(f"{cloud.url}/localcloud/step", timeout=5).json()["alerts"])

    until(lambda: waits() == 1 or None)
    assert step(cloud, "alerts") == 1
    until(lambda: waits() == 1 or None)


def test_an_alert_fires_at_the_step_that_sees_it_and_resolves_after_its_clean_time_in_steps(stepped: ArmCloud) -> None:
    """One-minute rules resolve after ten clean minutes, which are ten steps after the first clean one."""
    insights = f"{stepped.workspace_id.partition('/providers/')[0]}/providers/Microsoft.Insights"
    newest = "AppTraces | summarize arg_max(TimeGenerated, Message) | where Message == 'bad'"
    rule = {**log_rule(newest), "windowSize": "PT1H"}
    rule["actions"] = {"actionGroups": [f"{insights}/actionGroups/stepped"]}
    with running_webhook() as webhook:
        receiver = {"name": "app", "serviceUri": webhook.url, "useCommonAlertSchema": True}
        group = {"groupShortName": "stepped", "webhookReceivers": [receiver]}
        assert stepped.call("PUT", f"{insights}/actionGroups/stepped", {"properties": group}).ok
        assert stepped.call("PUT", f"{insights}/scheduledQueryRules/stepped", {"properties": rule}).ok
        trace(stepped, "bad")
        evaluated(stepped)
        assert webhook.bodies == [], "the rule has looked, and the row was not there yet"

        step(stepped, "ingestion")
        evaluated(stepped)
        (fired,) = until(lambda: webhook.bodies or None)
        assert fired["data"]["essentials"]["monitorCondition"] == "Fired"

        trace(stepped, "good")
        step(stepped, "ingestion")
        for _ in range(10):
            evaluated(stepped)
        assert len(webhook.bodies) == 1, "neither repeated nor resolved so far"
        evaluated(stepped)
        resolved = until(lambda: webhook.bodies[1:] or None)[0]["data"]["essentials"]
        assert resolved["monitorCondition"] == "Resolved"
        assert resolved["alertId"] == fired["data"]["essentials"]["alertId"]
    assert stepped.call("DELETE", f"{insights}/scheduledQueryRules/stepped").ok


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
