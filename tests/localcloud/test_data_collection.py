"""Logs Ingestion: a custom table, a data collection rule, and rows posted to its stream."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from localcloud.monitor.kql import Limits, Scope, run
from localcloud.monitor.store import TableStore
from localcloud.settings import Settings
from tests.localcloud.monitor_cloud import Running, running

GROUP = "/subscriptions/S/resourceGroups/rg-local/providers"
TABLE = f"{GROUP}/Microsoft.OperationalInsights/workspaces/law/tables/RolloutDrift_CL"
RULE = f"{GROUP}/Microsoft.Insights/dataCollectionRules/drift"
COLUMNS = [
    {"name": "TimeGenerated", "type": "datetime"},
    {"name": "Feature", "type": "string"},
    {"name": "Score", "type": "real"},
    {"name": "Drifted", "type": "boolean"},
    {"name": "Rows", "type": "long"},
]

Call = Callable[..., requests.Response]


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(Settings(ingestion_seconds=0.0), tmp_path_factory.mktemp("dcr")) as started:
        yield started


@pytest.fixture(scope="module")
def call(monitor: Running) -> Call:
    def send(method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": "Bearer x", **options.pop("headers", {})}
        ca_file = str(monitor.cloud.ca_file)
        return requests.request(method, monitor.url + path, headers=headers, verify=ca_file, timeout=10, **options)

    return send


def rule(**flow: Any) -> dict[str, Any]:
    flow = {"streams": ["Custom-Drift"], "transformKql": "source", "outputStream": "Custom-RolloutDrift_CL", **flow}
    declarations = {"Custom-Drift": {"columns": COLUMNS}}
    return {"location": "westeurope", "properties": {"streamDeclarations": declarations, "dataFlows": [flow]}}


@pytest.fixture(scope="module")
def stream(call: Call) -> str:
    """The path to post rows to."""
    schema = {"name": "RolloutDrift_CL", "columns": COLUMNS}
    assert call("PUT", TABLE, json={"properties": {"schema": schema}}).status_code == 201
    made = call("PUT", RULE, json=rule())
    assert made.status_code == 201, made.text
    return (
        f"/dataCollectionRules/{made.json()['properties']['immutableId']}/streams/Custom-Drift?api-version=2023-01-01"
    )


def rows_of(monitor: Running, query: str) -> list[list[Any]]:
    assert isinstance(monitor.cloud.tables, TableStore)
    return run(monitor.cloud.tables, query, Scope(), Limits(100)).rows


def test_rows_arrive_typed_whether_gzipped_or_not(monitor: Running, call: Call, stream: str) -> None:
    row = {"TimeGenerated": "2026-11-21T05:00:00Z", "Feature": "sex", "Score": 0.5, "Drifted": True, "Rows": 2**40}
    assert call("POST", stream, json=[row]).status_code == 204
    body = gzip.compress(json.dumps([row | {"Feature": "age"}]).encode())
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    assert call("POST", stream, data=body, headers=headers).status_code == 204
    query = """RolloutDrift_CL | where Feature in ('sex', 'age')
        | project Feature, Score, Drifted, Rows | order by Feature asc"""
    assert rows_of(monitor, query) == [["age", 0.5, True, 2**40], ["sex", 0.5, True, 2**40]]


def test_undeclared_columns_are_dropped_and_values_of_a_wrong_type_are_null(
    monitor: Running, call: Call, stream: str
) -> None:
    assert call("POST", stream, json=[{"Feature": "odd", "Score": "high", "Extra": 1}]).status_code == 204
    query = "RolloutDrift_CL | where Feature == 'odd' | project Score, isnotnull(TimeGenerated)"
    assert rows_of(monitor, query) == [[None, True]]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"[1]", 400, "InvalidPayload"),
        (b'{"Feature": "sex"}', 400, "InvalidPayload"),
        (b"[{", 400, "InvalidPayload"),
        (b"[" + b" " * 1_048_576 + b"]", 413, "ContentLengthLimitExceeded"),
    ],
)
def test_a_wrong_body_is_refused_whole(call: Call, stream: str, body: bytes, status: int, code: str) -> None:
    reply = call("POST", stream, data=body, headers={"Content-Type": "application/json"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)


def test_rows_for_an_unknown_rule_or_stream_are_refused(call: Call, stream: str) -> None:
    other = call("POST", stream.replace("Custom-Drift", "Custom-Other"), json=[])
    assert (other.status_code, other.json()["error"]["code"]) == (400, "InvalidStream")
    assert call("POST", "/dataCollectionRules/dcr-0/streams/Custom-Drift", json=[]).status_code == 404


@pytest.mark.parametrize(
    ("flow", "status", "code"),
    [
        ({"outputStream": "Custom-Missing_CL"}, 400, "InvalidOutputTable"),
        ({"streams": ["Custom-Missing"]}, 400, "InvalidPayload"),
        ({"transformKql": "source | take 1"}, 501, "LocalStandInUnsupported"),
    ],
)
def test_a_rule_that_cannot_work_is_refused(
    call: Call, stream: str, flow: dict[str, Any], status: int, code: str
) -> None:
    reply = call("PUT", f"{RULE}-2", json=rule(**flow))
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)


def test_a_table_can_get_columns_and_keep_its_rows_but_not_change_a_type(
    monitor: Running, call: Call, stream: str
) -> None:
    call("POST", stream, json=[{"Feature": "before"}])
    more = {"schema": {"columns": [*COLUMNS, {"name": "Model", "type": "string"}]}}
    assert call("PUT", TABLE, json={"properties": more}).status_code == 200
    assert rows_of(monitor, "RolloutDrift_CL | where Feature == 'before' | project isempty(Model)") == [[True]]
    other = {"schema": {"columns": [COLUMNS[0], {"name": "Score", "type": "string"}]}}
    reply = call("PUT", TABLE, json={"properties": other})
    assert reply.status_code == 400
    assert "Score" in reply.json()["error"]["message"]
