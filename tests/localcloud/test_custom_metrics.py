"""Custom metrics, and metrics that fail or have gaps on order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from azure.core.exceptions import HttpResponseError
from azure.monitor.querymetrics import MetricsClient, MetricsQueryResult

from localcloud.settings import Settings
from tests.localcloud.monitor_cloud import ENDPOINT, Running, Token, running, traffic, until

MINUTE = 0.5
NAMESPACE = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
DRIFT = "understudy/drift"

Call = Callable[..., requests.Response]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(Settings(minute_seconds=MINUTE), tmp_path_factory.mktemp("custom")) as started:
        started.cloud.tables.append("AmlOnlineEndpointTrafficLog", [traffic(milliseconds=40) for _ in range(5)])
        yield started


@pytest.fixture
def monitor(shared: Running) -> Iterator[Running]:
    yield shared
    shared.cloud.faults.clear()


@pytest.fixture
def call(monitor: Running) -> Call:
    def send(method: str, path: str, **options: Any) -> requests.Response:
        return requests.request(
            method,
            monitor.url + path,
            headers={"Authorization": "Bearer x"},
            verify=str(monitor.cloud.ca_file),
            timeout=10,
            **options,
        )

    return send


def document(when: datetime | None = None, **base: Any) -> dict[str, Any]:
    series = [
        {"dimValues": ["sex"], "min": 0.1, "max": 0.5, "sum": 0.6, "count": 2},
        {"dimValues": ["age"], "min": 0.2, "max": 0.2, "sum": 0.2, "count": 1},
    ]
    data = {"metric": "DriftScore", "namespace": DRIFT, "dimNames": ["feature"], "series": series, **base}
    return {"time": (when or datetime.now(UTC)).isoformat(), "data": {"baseData": data}}


def read(call: Call, aggregation: str, filter_: str = "") -> dict[str, list[float]]:
    """First dimension value -> values, through ARM."""
    query = {
        "metricnames": "DriftScore",
        "metricnamespace": DRIFT,
        "timespan": "PT1H",
        "aggregation": aggregation,
        "$filter": filter_,
    }
    body = call("GET", f"{ENDPOINT}/providers/Microsoft.Insights/metrics", params=query).json()
    found = {}
    for series in body["value"][0]["timeseries"]:
        name = series["metadatavalues"][0]["value"] if series["metadatavalues"] else ""
        found[name] = [point[aggregation.lower()] for point in series["data"] if aggregation.lower() in point]
    return found


def batch(monitor: Running, *names: str, namespace: str = NAMESPACE) -> MetricsQueryResult:
    with MetricsClient(monitor.url, Token(), connection_verify=str(monitor.cloud.ca_file), retry_total=0) as client:
        results = client.query_resources(
            resource_ids=[ENDPOINT],
            metric_namespace=namespace,
            metric_names=list(names),
            timespan=timedelta(minutes=2),
            granularity=timedelta(minutes=1),
            aggregations=["Average"],
        )
    return results[0]


def points(result: MetricsQueryResult, name: str) -> list[float]:
    (metric,) = (metric for metric in result.metrics if metric.name == name)
    return [point.average for series in metric.timeseries for point in series.data if point.average is not None]


def test_a_custom_metric_is_read_through_arm_with_its_own_aggregations(call: Call) -> None:
    assert call("POST", f"{ENDPOINT}/metrics", json=document()).status_code == 200
    until(lambda: read(call, "Average"))
    assert read(call, "Average") == {"": [pytest.approx(0.8 / 3)]}
    assert read(call, "Maximum", "feature eq '*'") == {"sex": [0.5], "age": [0.2]}
    assert read(call, "Count", "feature eq 'sex'") == {"sex": [2]}


def test_of_many_series_ten_are_given_unless_more_are_asked_for_the_greatest_first(call: Call) -> None:
    names = [f"f{number}" for number in range(12)]
    series = [
        {"dimValues": [name], "min": number, "max": number, "sum": number, "count": 1}
        for number, name in enumerate(names)
    ]
    assert call("POST", f"{ENDPOINT}/metrics", json=document(metric="Many", series=series)).status_code == 200
    query = {"metricnames": "Many", "metricnamespace": DRIFT, "timespan": "PT1H", "$filter": "feature eq '*'"}

    def given(**more: str) -> list[str]:
        body = call("GET", f"{ENDPOINT}/providers/Microsoft.Insights/metrics", params=query | more).json()
        return [one["metadatavalues"][0]["value"] for one in body["value"][0]["timeseries"]]

    assert until(given) == names[:1:-1]
    assert given(**{"$top": "12"}) == names[::-1]


def test_a_range_in_the_future_has_no_series(monitor: Running, call: Call) -> None:
    until(lambda: points(batch(monitor, "RequestLatency"), "RequestLatency"))
    start = datetime.now(UTC) + timedelta(hours=1)
    query = {"metricnames": "RequestLatency", "timespan": f"{start.isoformat()}/PT1H"}
    body = call("GET", f"{ENDPOINT}/providers/Microsoft.Insights/metrics", params=query).json()
    assert body["value"][0]["timeseries"] == []


def test_a_busy_backend_is_not_asked_again_by_the_sdk(monitor: Running) -> None:
    parameters = {"status": 529, "body": {"error": {"code": "Busy", "message": "not now"}}}
    fault = monitor.cloud.faults.add("http", match="getBatch", times=9, parameters=parameters)
    with (
        MetricsClient(monitor.url, Token(), connection_verify=str(monitor.cloud.ca_file)) as client,
        pytest.raises(HttpResponseError) as refused,
    ):
        client.query_resources(resource_ids=[ENDPOINT], metric_namespace=NAMESPACE, metric_names=["RequestLatency"])
    assert (refused.value.status_code, len(fault.struck)) == (529, 1)


def test_the_batch_api_does_not_know_custom_metrics(monitor: Running) -> None:
    with pytest.raises(HttpResponseError, match="no namespace of platform metrics") as refused:
        batch(monitor, "DriftScore", namespace=DRIFT)
    assert refused.value.status_code == 400


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (document(datetime.now(UTC) - timedelta(hours=1)), "20 minutes"),
        (document(datetime.now(UTC) + timedelta(hours=1)), "5 minutes"),
        (document(dimNames=[str(number) for number in range(11)]), "at most 10"),
        (document(series=[{"dimValues": ["sex"], "min": 1}]), "max is needed"),
        (document(dimNames=[]), "dimValues"),
        ({"time": "2026-11-21T00:00:00Z"}, "20 minutes"),
    ],
)
def test_a_wrong_document_is_a_400_that_says_what_is_wrong(call: Call, body: dict[str, Any], message: str) -> None:
    reply = call("POST", f"{ENDPOINT}/metrics", json=body)
    assert reply.status_code == 400
    assert message in reply.json()["error"]["message"]


def test_a_metric_with_an_error_code_looks_empty_to_the_sdk_beside_one_that_is_well(monitor: Running) -> None:
    until(lambda: points(batch(monitor, "RequestLatency"), "RequestLatency"))
    monitor.cloud.faults.add("metric.error_code", match="^RequestLatency_P95$", parameters={"code": "Throttled"})
    result = batch(monitor, "RequestLatency", "RequestLatency_P95")
    assert points(result, "RequestLatency_P95") == []
    assert points(result, "RequestLatency") == [40.0]
    assert points(batch(monitor, "RequestLatency_P95"), "RequestLatency_P95") == [40.0]


def test_the_error_code_stands_on_the_wire(monitor: Running, call: Call) -> None:
    parameters = {"code": "Throttled", "message": "try later"}
    monitor.cloud.faults.add("metric.error_code", match="P50", parameters=parameters)
    body = call("GET", f"{ENDPOINT}/providers/Microsoft.Insights/metrics?metricnames=RequestLatency_P50").json()
    metric = body["value"][0]
    assert (metric["errorCode"], metric["errorMessage"], metric["timeseries"]) == ("Throttled", "try later", [])


def test_a_gap_is_points_without_values_and_then_they_are_back(monitor: Running) -> None:
    until(lambda: points(batch(monitor, "RequestLatency"), "RequestLatency"))
    monitor.cloud.faults.add("metric.gap", match="^RequestLatency$")
    result = batch(monitor, "RequestLatency")
    assert points(result, "RequestLatency") == []
    assert result.metrics[0].timeseries[0].data
    assert points(batch(monitor, "RequestLatency"), "RequestLatency") == [40.0]
