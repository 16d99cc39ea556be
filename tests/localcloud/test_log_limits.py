"""What Log Analytics does when it is too much, too long, too often, or when a fault was ordered, seen by the SDK."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from azure.core.exceptions import HttpResponseError
from azure.monitor.query import (
    LogsBatchQuery,
    LogsQueryClient,
    LogsQueryError,
    LogsQueryPartialResult,
    LogsQueryResult,
)

from localcloud.monitor.kql_errors import QueryRefused
from localcloud.monitor.query_quota import QueryQuota
from localcloud.settings import Settings
from tests.localcloud.monitor_cloud import Running, Token, running, traffic, until

SETTINGS = Settings(ingestion_seconds=0.0, minute_seconds=1.0)
WORKSPACE = SETTINGS.log_analytics_workspace_id
TRAFFIC = "AmlOnlineEndpointTrafficLog"
DURATIONS = f"{TRAFFIC} | project TotalDurationMs"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(SETTINGS, tmp_path_factory.mktemp("limits")) as started:
        started.cloud.tables.append(TRAFFIC, [traffic(milliseconds=number) for number in range(10)])
        yield started


@pytest.fixture
def monitor(shared: Running) -> Iterator[Running]:
    yield shared
    shared.cloud.faults.clear()


def client_of(monitor: Running) -> LogsQueryClient:
    return LogsQueryClient(
        Token(),
        endpoint=monitor.url,
        audience="https://api.loganalytics.io",
        connection_verify=str(monitor.cloud.ca_file),
        retry_total=0,
    )


def ask(monitor: Running, query: str) -> LogsQueryResult | LogsQueryPartialResult:
    with client_of(monitor) as client:
        return client.query_workspace(WORKSPACE, query, timespan=None)


def numbers(result: LogsQueryResult | LogsQueryPartialResult) -> list[int]:
    tables = result.partial_data if isinstance(result, LogsQueryPartialResult) else result.tables
    return [row[0] for row in tables[0].rows]


def test_an_answer_of_too_many_bytes_is_partial(tmp_path: Path) -> None:
    with running(replace(SETTINGS, log_byte_limit=1000), tmp_path) as monitor:
        lines = [{"Message": "x" * 300} for _ in range(5)]
        monitor.cloud.tables.append("AmlOnlineEndpointConsoleLog", lines)
        result = ask(monitor, "AmlOnlineEndpointConsoleLog | project Message")
    assert isinstance(result, LogsQueryPartialResult)
    assert len(result.partial_data[0].rows) == 3
    assert "1000 bytes" in str(result.partial_error)


def test_a_query_that_takes_too_long_is_a_504(tmp_path: Path) -> None:
    with running(replace(SETTINGS, log_query_seconds=0.05), tmp_path) as monitor:
        monitor.cloud.tables.append("AppTraces", [{"Message": "x", "SeverityLevel": 1} for _ in range(20_000)])
        pairs = "AppTraces | join kind=inner (AppTraces) on SeverityLevel | summarize max(strcat(Message, Message1))"
        with pytest.raises(HttpResponseError, match="longer than") as refused:
            ask(monitor, pairs)
    assert refused.value.status_code == 504


def test_too_many_queries_in_half_a_minute_are_a_429_that_the_sdk_raises_at_once(tmp_path: Path) -> None:
    with running(replace(SETTINGS, log_queries_per_half_minute=2, minute_seconds=60.0), tmp_path) as monitor:
        monitor.cloud.tables.append(TRAFFIC, [traffic()])
        for _ in range(2):
            ask(monitor, DURATIONS)
        with pytest.raises(HttpResponseError, match="ThrottledError") as refused:
            ask(monitor, DURATIONS)
    assert refused.value.status_code == 429


def test_more_queries_at_once_than_allowed_wait_for_each_other(tmp_path: Path) -> None:
    with running(replace(SETTINGS, log_queries_at_once=1), tmp_path) as monitor:
        monitor.cloud.tables.append(TRAFFIC, [traffic(milliseconds=4)])
        with ThreadPoolExecutor(max_workers=4) as pool:
            answers = list(pool.map(lambda _: numbers(ask(monitor, DURATIONS)), range(4)))
    assert answers == [[4]] * 4


def test_of_the_queries_that_wait_two_hundred_may_and_the_next_is_a_429() -> None:
    async def story() -> QueryRefused:
        quota = QueryQuota(replace(SETTINGS, log_queries_at_once=1, log_queries_per_half_minute=1000))

        async def wait_in_line() -> None:
            async with quota.place("somebody"):
                pass

        async with quota.place("somebody"):
            line = [asyncio.create_task(wait_in_line()) for _ in range(200)]
            await asyncio.sleep(0)
            with pytest.raises(QueryRefused) as refused:
                await wait_in_line()
            async with quota.place("somebody else"):
                pass
        await asyncio.gather(*line)
        return refused.value

    refused = asyncio.run(story())
    assert (refused.status, refused.code) == (429, "ThrottledError")


def test_a_batch_answers_each_query_by_itself(monitor: Running) -> None:
    queries = [
        f"{TRAFFIC} | count",
        f"{TRAFFIC} | where Mesage == ''",
        f"{TRAFFIC} | where TotalDurationMs < 3 | count",
    ]
    with client_of(monitor) as client:
        asked = [LogsBatchQuery(workspace_id=WORKSPACE, query=query, timespan=None) for query in queries]
        first, second, third = client.query_batch(asked)
    assert isinstance(first, LogsQueryResult)
    assert isinstance(third, LogsQueryResult)
    assert (numbers(first), numbers(third)) == ([10], [3])
    assert isinstance(second, LogsQueryError)
    assert second.code == "BadArgumentError"


def test_a_batchs_answers_are_not_in_the_order_of_its_queries(monitor: Running) -> None:
    parts = [
        {"id": name, "workspace": WORKSPACE, "path": "/query", "method": "POST", "body": {"query": "print 1"}}
        for name in ("a", "b")
    ]
    bearer = {"Authorization": "Bearer x"}
    ca_file = str(monitor.cloud.ca_file)
    reply = requests.post(
        f"{monitor.url}/v1/$batch", json={"requests": parts}, headers=bearer, verify=ca_file, timeout=10
    )
    assert [(part["id"], part["status"]) for part in reply.json()["responses"]] == [("b", 200), ("a", 200)]


def test_a_partial_answer_on_order_has_the_rows_and_the_code_that_were_asked_for(monitor: Running) -> None:
    monitor.cloud.faults.add("logs.partial", match=TRAFFIC, parameters={"rows": 4, "code": "E_RUNAWAY_QUERY"})
    result = ask(monitor, DURATIONS)
    assert isinstance(result, LogsQueryPartialResult)
    assert len(numbers(result)) == 4
    assert result.partial_error is not None
    assert "E_RUNAWAY_QUERY" in str(result.partial_error.details)
    assert len(numbers(ask(monitor, DURATIONS))) == 10


@pytest.mark.parametrize("kind", ["logs.empty_204", "logs.empty_200", "logs.html"])
def test_an_answer_that_is_no_json_reaches_the_caller_as_a_decode_error(monitor: Running, kind: str) -> None:
    monitor.cloud.faults.add(kind, match=TRAFFIC)
    with pytest.raises(json.JSONDecodeError):
        ask(monitor, DURATIONS)
    assert len(numbers(ask(monitor, DURATIONS))) == 10


@pytest.mark.parametrize(
    ("status", "headers", "calls"),
    [
        (429, {}, 1),
        (429, {"Retry-After": "0"}, 4),
        (502, {}, 1),
        (529, {}, 1),
        (504, {}, 4),
    ],
)
def test_the_sdk_sends_a_refused_query_again_only_where_it_thinks_it_may(
    monitor: Running, status: int, headers: dict[str, str], calls: int
) -> None:
    body = {"error": {"code": "Refused", "message": "not now"}}
    parameters = {"status": status, "headers": headers, "body": body}
    fault = monitor.cloud.faults.add("http", match="^POST /v1/workspaces/", times=9, parameters=parameters)
    with (
        LogsQueryClient(
            Token(),
            endpoint=monitor.url,
            audience="https://api.loganalytics.io",
            connection_verify=str(monitor.cloud.ca_file),
            retry_total=3,
            retry_backoff_factor=0.01,
        ) as client,
        pytest.raises(HttpResponseError) as refused,
    ):
        client.query_workspace(WORKSPACE, DURATIONS, timespan=None)
    assert refused.value.status_code == status
    assert len(fault.struck) == calls


def test_rows_on_order_come_late_and_are_ingested_late(monitor: Running) -> None:
    monitor.cloud.faults.add("rows.late", match="AppEvents", parameters={"seconds": 0.6})
    monitor.cloud.tables.append("AppEvents", [{"Name": "late"}])
    query = "AppEvents | where Name == 'late' | project (ingestion_time() - TimeGenerated) / 1ms"
    assert numbers(ask(monitor, query)) == []
    (late,) = until(lambda: numbers(ask(monitor, query)))
    assert float(late) == pytest.approx(600, abs=1)


def test_rows_on_order_stand_twice_in_the_logs_and_once_in_the_metrics(tmp_path: Path) -> None:
    namespace = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
    with running(SETTINGS, tmp_path) as monitor:
        monitor.cloud.faults.add("rows.doubled", match=TRAFFIC)
        monitor.cloud.tables.append(TRAFFIC, [traffic(), traffic()])
        assert numbers(ask(monitor, f"{TRAFFIC} | summarize count(), dcount(_ItemId)")) == [4]
        url = f"{monitor.url}{traffic()['_ResourceId']}/providers/Microsoft.Insights/metrics"
        query = {"metricnames": "RequestsPerMinute", "metricnamespace": namespace, "timespan": "PT5M"}

        def rates() -> list[float]:
            reply = requests.get(
                url,
                params=query,
                headers={"Authorization": "Bearer x"},
                verify=str(monitor.cloud.ca_file),
                timeout=10,
            )
            series = reply.json()["value"][0]["timeseries"]
            return [point["average"] for one in series for point in one["data"] if "average" in point]

        assert until(rates) == [2 * 60 / SETTINGS.minute_seconds]


def test_rows_that_were_kept_long_enough_are_gone(tmp_path: Path) -> None:
    with running(replace(SETTINGS, rows_kept_seconds=0.5), tmp_path) as monitor:
        monitor.cloud.tables.append(TRAFFIC, [traffic()])
        until(lambda: numbers(ask(monitor, f"{TRAFFIC} | count")) == [0])
