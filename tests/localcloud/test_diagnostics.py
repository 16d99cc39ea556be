"""Diagnostic settings: what an endpoint sends to Log Analytics, and the workspace that it sends to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from cloud.logs import Logs
from localcloud.monitor.log_workspace import log_workspace_id
from localcloud.settings import Settings
from tests.localcloud.monitor_cloud import ENDPOINT, Running, Token, running, traffic, until

SETTINGS = Settings(ingestion_seconds=0.0, logs_without_setting=False)
API = {"api-version": "2021-05-01-preview"}
HEADERS = {"Authorization": "Bearer t"}
TRAFFIC = "AmlOnlineEndpointTrafficLog"


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A monitor whose endpoints log nothing by themselves."""
    with running(SETTINGS, tmp_path_factory.mktemp("diagnostics")) as cloud:
        yield cloud


@pytest.fixture(autouse=True)
def trusted(monitor: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients trust the monitor's certificate."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(monitor.cloud.ca_file))


def address(monitor: Running, endpoint: str, name: str = "") -> str:
    """The settings of an endpoint, or one of them."""
    resource = f"{ENDPOINT.rsplit('/', 1)[0]}/{endpoint}"
    return f"{monitor.url}{resource}/providers/Microsoft.Insights/diagnosticSettings" + (f"/{name}" if name else "")


def put(monitor: Running, endpoint: str, *logs: dict[str, Any], to: str = "", name: str = "logs") -> requests.Response:
    """Make a setting."""
    body = {"properties": {"workspaceId": to or log_workspace_id(SETTINGS), "logs": list(logs)}}
    return requests.put(address(monitor, endpoint, name), json=body, params=API, headers=HEADERS, timeout=5)


def rows(monitor: Running, endpoint: str) -> list[str]:
    """Deployments with rows in the traffic log of an endpoint."""
    now = datetime.now(UTC)
    kql = f"{TRAFFIC} | where _ResourceId endswith '/{endpoint}' | project DeploymentName"
    logs = Logs(monitor.url, Token())
    found = logs.query(SETTINGS.log_analytics_workspace_id, kql, now - timedelta(hours=1), now)
    return sorted(str(row["DeploymentName"]) for row in found)


def call(monitor: Running, endpoint: str, deployment: str) -> None:
    """A request that an endpoint answered."""
    row = traffic(deployment, _ResourceId=f"{ENDPOINT.rsplit('/', 1)[0]}/{endpoint}")
    monitor.cloud.tables.append(TRAFFIC, [row])


def seen(monitor: Running, endpoint: str, *expected: str) -> None:
    """These rows come, and no others."""
    call(monitor, "always", "mark")  # else the workspace has no data at all, which is another answer
    until(lambda: rows(monitor, endpoint) == sorted(expected))


def test_rows_reach_the_workspace_only_while_a_setting_sends_their_category(monitor: Running) -> None:
    put(monitor, "always", {"categoryGroup": "allLogs", "enabled": True})
    call(monitor, "one", "before")
    assert put(monitor, "one", {"category": TRAFFIC, "enabled": True}).ok
    call(monitor, "one", "during")
    seen(monitor, "one", "during")

    removed = requests.delete(address(monitor, "one", "logs"), params=API, headers=HEADERS, timeout=5)
    assert removed.status_code == 200
    call(monitor, "one", "after")
    seen(monitor, "one", "during")


@pytest.mark.parametrize(
    ("log", "to"),
    [
        ({"category": TRAFFIC, "enabled": False}, ""),
        ({"category": "AmlOnlineEndpointConsoleLog", "enabled": True}, ""),
        ({"category": TRAFFIC, "enabled": True}, "/subscriptions/s/another/workspace"),
    ],
)
def test_another_category_and_another_workspace_send_nothing_here(
    monitor: Running, log: dict[str, Any], to: str
) -> None:
    put(monitor, "always", {"categoryGroup": "allLogs", "enabled": True})
    assert put(monitor, "two", log, to=to).ok
    call(monitor, "two", "lost")
    seen(monitor, "two")


def test_a_setting_is_listed_and_read_and_gone_when_deleted(monitor: Running) -> None:
    put(monitor, "three", {"category": TRAFFIC, "enabled": True}, name="Mine")
    listed = requests.get(address(monitor, "three"), params=API, headers=HEADERS, timeout=5).json()["value"]
    assert [(one["name"], one["properties"]["logs"]) for one in listed] == [
        ("Mine", [{"category": TRAFFIC, "enabled": True}])
    ]
    url = address(monitor, "three", "mine")
    assert requests.get(url, params=API, headers=HEADERS, timeout=5).json()["name"] == "Mine"
    assert requests.delete(url, params=API, headers=HEADERS, timeout=5).status_code == 200
    assert requests.delete(url, params=API, headers=HEADERS, timeout=5).status_code == 204
    assert requests.get(url, params=API, headers=HEADERS, timeout=5).status_code == 404


def test_unknown_categories_and_settings_without_a_sink_are_refused(monitor: Running) -> None:
    refused = put(monitor, "four", {"category": "AmlOnlineEndpointTraffic", "enabled": True})
    assert (refused.status_code, "not supported" in refused.text) == (400, True)
    url = address(monitor, "four", "logs")
    nowhere = requests.put(url, json={"properties": {"logs": []}}, params=API, headers=HEADERS, timeout=5)
    assert (nowhere.status_code, "sink" in nowhere.text) == (400, True)


def test_a_resource_has_five_settings_at_most(monitor: Running) -> None:
    answers = [put(monitor, "five", {"category": TRAFFIC, "enabled": True}, name=f"s{n}").status_code for n in range(6)]
    assert answers == [200] * 5 + [409]


def test_every_endpoint_begins_with_a_setting_unless_that_is_turned_off(tmp_path: Path) -> None:
    with running(Settings(), tmp_path) as other:
        kwargs: dict[str, Any] = {"params": API, "headers": HEADERS, "timeout": 5, "verify": str(other.cloud.ca_file)}
        (given,) = requests.get(address(other, "new"), **kwargs).json()["value"]
        assert given["properties"]["logs"] == [{"categoryGroup": "allLogs", "enabled": True}]
        deployment = address(other, "new/deployments/blue")
        assert requests.get(deployment, **kwargs).json()["value"] == []


def test_the_workspace_has_an_arm_id_and_the_guid_of_its_queries(monitor: Running) -> None:
    here = log_workspace_id(SETTINGS)
    group = here.rsplit("/", 1)[0]
    for path in (group, f"/subscriptions/{SETTINGS.subscription_id}{group.partition('/rg-local')[2]}"):
        (listed,) = requests.get(f"{monitor.url}{path}", headers=HEADERS, timeout=5).json()["value"]
        assert (listed["id"], listed["properties"]["customerId"]) == (here, SETTINGS.log_analytics_workspace_id)
    assert requests.get(f"{monitor.url}{here}", headers=HEADERS, timeout=5).json() == listed
    assert requests.get(f"{monitor.url}{group}/another", headers=HEADERS, timeout=5).status_code == 404
