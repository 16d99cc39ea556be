"""Log Analytics through the unpatched LogsQueryClient."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from azure.core.exceptions import HttpResponseError
from azure.monitor.query import LogsQueryClient, LogsQueryPartialResult, LogsQueryResult

from localcloud.settings import Settings
from tests.localcloud.monitor_cloud import ENDPOINT, Running, Token, running, traffic

SETTINGS = Settings(ingestion_seconds=0.0, log_row_limit=10)
WORKSPACE = SETTINGS.log_analytics_workspace_id
AUDIENCE = "https://api.loganalytics.io"
HOUR = timedelta(hours=1)


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[Running]:
    with running(SETTINGS, tmp_path) as started:
        yield started


@pytest.fixture
def client(monitor: Running) -> Iterator[LogsQueryClient]:
    with LogsQueryClient(
        Token(), endpoint=monitor.url, audience=AUDIENCE, connection_verify=str(monitor.cloud.ca_file)
    ) as made:
        yield made


def test_rows_arrive_with_python_types(monitor: Running, client: LogsQueryClient) -> None:
    monitor.cloud.tables.append("AmlOnlineEndpointTrafficLog", [traffic(milliseconds=7)])
    query = "AmlOnlineEndpointTrafficLog | project TimeGenerated, DeploymentName, TotalDurationMs"
    result = client.query_workspace(WORKSPACE, query, timespan=HOUR)
    assert isinstance(result, LogsQueryResult)
    time, deployment, duration = result.tables[0].rows[0]
    assert abs(datetime.now(UTC) - time) < timedelta(minutes=1)
    assert (deployment, duration) == ("blue", 7)


def test_the_drift_messages_are_read_by_the_scenarios_queries(monitor: Running, client: LogsQueryClient) -> None:
    overall = {"n_features": 23, "n_drifted_features": 12, "share_drifted_features": 0.52, "dataset_drift": True}
    features = [
        {"feature_name": "sex", "drift_score": 0.01, "drift_detected": True},
        {"feature_name": "age", "drift_score": 0.5, "drift_detected": False},
    ]
    for kind, data in (("OverallDriftMetrics", overall), ("FeatureDriftMetrics", features)):
        message = json.dumps({"model_name": "credit-card-default", "type": kind, "data": data})
        monitor.cloud.tables.append("AppTraces", [{"Message": message}])
    result = client.query_workspace(WORKSPACE, OVERALL_DRIFT_QUERY, timespan=None)
    assert isinstance(result, LogsQueryResult)
    assert result.tables[0].columns[1:] == sorted(overall)
    assert list(result.tables[0].rows[0])[1:] == [True, 12, 23, 0.52]
    result = client.query_workspace(WORKSPACE, FEATURE_DRIFT_QUERY, timespan=None)
    assert isinstance(result, LogsQueryResult)
    assert [list(row)[1:] for row in result.tables[0].rows] == [[True, 0.01, "sex"], [False, 0.5, "age"]]


def test_an_answer_over_the_limit_is_partial_and_tells_why_in_its_details(
    monitor: Running, client: LogsQueryClient
) -> None:
    monitor.cloud.tables.append("AmlOnlineEndpointTrafficLog", [traffic() for _ in range(11)])
    result = client.query_workspace(WORKSPACE, "AmlOnlineEndpointTrafficLog", timespan=HOUR)
    assert isinstance(result, LogsQueryPartialResult)
    assert len(result.partial_data[0].rows) == 10
    assert result.partial_error is not None
    assert "E_QUERY_RESULT_SET_TOO_LARGE" in str(result.partial_error.details)


def test_a_workspace_without_any_row_answers_204_which_the_sdk_cannot_read(client: LogsQueryClient) -> None:
    with pytest.raises(json.JSONDecodeError):
        client.query_workspace(WORKSPACE, "AmlOnlineEndpointTrafficLog", timespan=HOUR)


def test_a_wrong_column_is_a_semantic_error(monitor: Running, client: LogsQueryClient) -> None:
    monitor.cloud.tables.append("AmlOnlineEndpointTrafficLog", [traffic()])
    with pytest.raises(HttpResponseError, match="SemanticError") as refused:
        client.query_workspace(WORKSPACE, "AmlOnlineEndpointTrafficLog | where Mesage == ''", timespan=HOUR)
    assert refused.value.status_code == 400


def test_an_unknown_workspace_is_404(client: LogsQueryClient) -> None:
    with pytest.raises(HttpResponseError) as refused:
        client.query_workspace("00000000-0000-0000-0000-00000000dead", "print 1", timespan=HOUR)
    assert refused.value.status_code == 404


def test_a_further_workspace_that_does_not_exist_is_404_and_never_left_out(
    monitor: Running, client: LogsQueryClient
) -> None:
    monitor.cloud.tables.append("AppEvents", [{"Name": "x"}])
    for further, status in (([WORKSPACE], 200), (["00000000-0000-0000-0000-00000000dead"], 404)):
        try:
            client.query_workspace(WORKSPACE, "AppEvents", timespan=HOUR, additional_workspaces=further)
            answered: int | None = 200
        except HttpResponseError as refused:
            answered = refused.status_code
        assert answered == status


def test_a_query_scoped_to_a_resource_sees_that_resource_only(monitor: Running, client: LogsQueryClient) -> None:
    other = ENDPOINT + "-v2"
    monitor.cloud.tables.append("AmlOnlineEndpointTrafficLog", [traffic(), traffic(_ResourceId=other)])
    result = client.query_resource(ENDPOINT, "AmlOnlineEndpointTrafficLog | count", timespan=HOUR)
    assert isinstance(result, LogsQueryResult)
    assert result.tables[0].rows[0][0] == 1


def test_the_classic_names_exist_only_in_the_scope_of_application_insights(
    monitor: Running, client: LogsQueryClient
) -> None:
    component = "/subscriptions/S/resourceGroups/rg-local/providers/microsoft.insights/components/ml-local"
    monitor.cloud.tables.append("AppTraces", [{"Message": "hello", "_ResourceId": component.lower()}])
    query = "traces | project message"
    result = client.query_resource(component, query, timespan=HOUR)
    assert isinstance(result, LogsQueryResult)
    assert list(result.tables[0].rows[0]) == ["hello"]
    with pytest.raises(HttpResponseError, match="SemanticError"):
        client.query_workspace(WORKSPACE, query, timespan=HOUR)


def test_queries_at_the_same_time_do_not_disturb_each_other_or_the_rows_that_arrive(
    monitor: Running, client: LogsQueryClient
) -> None:
    def ask(number: int) -> tuple[object, ...]:
        monitor.cloud.tables.append("AmlOnlineEndpointTrafficLog", [traffic(milliseconds=number)])
        query = f"AmlOnlineEndpointTrafficLog | where TotalDurationMs == {number} | summarize count(), max({number})"
        result = client.query_workspace(WORKSPACE, query, timespan=HOUR)
        assert isinstance(result, LogsQueryResult)
        return tuple(result.tables[0].rows[0])

    with ThreadPoolExecutor(max_workers=8) as pool:
        assert list(pool.map(ask, range(40))) == [(1, number) for number in range(40)]


def test_the_timespan_bounds_the_rows(monitor: Running, client: LogsQueryClient) -> None:
    now = datetime.now(UTC)
    old = now - timedelta(hours=3)
    monitor.cloud.tables.append("AmlOnlineEndpointTrafficLog", [traffic(), traffic(TimeGenerated=old)])
    for timespan, count in ((HOUR, 1), ((old - HOUR, HOUR), 1), ((old, now + HOUR), 2), (None, 2)):
        result = client.query_workspace(WORKSPACE, "AmlOnlineEndpointTrafficLog | count", timespan=timespan)
        assert isinstance(result, LogsQueryResult)
        assert result.tables[0].rows[0][0] == count, timespan


def test_a_call_without_a_token_is_401_and_a_body_that_is_no_json_gets_an_empty_200(monitor: Running) -> None:
    url = f"{monitor.url}/v1/workspaces/{WORKSPACE}/query"
    ca_file = str(monitor.cloud.ca_file)
    assert requests.post(url, json={"query": "print 1"}, verify=ca_file, timeout=10).status_code == 401
    bearer = {"Authorization": "Bearer x"}
    reply = requests.post(url, data="print 1", headers=bearer, verify=ca_file, timeout=10)
    assert (reply.status_code, reply.content) == (200, b"")


OVERALL_DRIFT_QUERY = """
    AppTraces
    | where Message has 'credit-card-default' and Message has 'OverallDriftMetrics'
    | project TimeGenerated, data=parse_json(tostring(Message)).data
    | evaluate bag_unpack(data)
"""
FEATURE_DRIFT_QUERY = """
    AppTraces
    | where Message has 'credit-card-default' and Message has 'FeatureDriftMetrics'
    | project TimeGenerated, data=parse_json(tostring(Message)).data
    | mv-expand data
    | evaluate bag_unpack(data)
"""
