"""Platform metrics through the unpatched MetricsClient and through ARM."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests
from azure.core.exceptions import HttpResponseError
from azure.monitor.querymetrics import Metric, MetricsClient

from localcloud.settings import Settings
from tests.localcloud.monitor_cloud import ENDPOINT, Running, Token, running, traffic, until

MINUTE = 0.5
SETTINGS = Settings(ingestion_seconds=60.0, minute_seconds=MINUTE)
NAMESPACE = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
INSTANCES = [{"resource_id": ENDPOINT, "deployment": "Blue", "instances": 3, "state": "Ready"}]

Ask = Callable[..., Metric]


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(SETTINGS, tmp_path_factory.mktemp("metrics"), deployments=lambda: INSTANCES) as started:
        started.cloud.tables.append(
            "AmlOnlineEndpointTrafficLog",
            [
                *(traffic("blue", milliseconds=ms) for ms in range(1, 101)),
                *(traffic("blue", code=500, milliseconds=50) for _ in range(25)),
                *(traffic("green", milliseconds=200, _mirrored=True) for _ in range(10)),
            ],
        )
        yield started


@pytest.fixture
def ask(monitor: Running) -> Iterator[Ask]:
    since = datetime.now(UTC) - timedelta(seconds=60)
    with MetricsClient(monitor.url, Token(), connection_verify=str(monitor.cloud.ca_file)) as client:

        def once(name: str, filter_: str | None = None, resource: str = ENDPOINT, namespace: str = NAMESPACE) -> Metric:
            results = client.query_resources(
                resource_ids=[resource],
                metric_namespace=namespace,
                metric_names=[name],
                timespan=(since, timedelta(seconds=120)),
                granularity=timedelta(minutes=1),
                aggregations=["Average"],
                filter=filter_,
            )
            return next(metric for metric in results[0].metrics if metric.name == name)

        yield once


def values(metric: Metric) -> dict[tuple[str | None, ...], list[float]]:
    """Dimension values -> the points that have a value."""
    return {
        tuple((series.metadata_values or {}).values()): [
            point.average for point in series.data if point.average is not None
        ]
        for series in metric.timeseries
    }


def test_a_rate_per_minute_comes_within_a_grain_and_does_not_wait_for_the_logs(ask: Ask) -> None:
    found = until(lambda: values(ask("RequestsPerMinute")))
    assert found == {(): [135 * 60 / MINUTE]}


def test_a_filter_splits_by_the_dimensions_that_it_names(ask: Ask) -> None:
    until(lambda: values(ask("RequestsPerMinute")))
    found = values(ask("RequestsPerMinute", "deployment eq 'BLUE' and statusCodeClass eq '*'"))
    assert found == {("blue", "2xx"): [100 * 60 / MINUTE], ("blue", "5xx"): [25 * 60 / MINUTE]}


def test_dimension_names_come_back_in_lower_case(ask: Ask) -> None:
    series = until(lambda: ask("RequestsPerMinute", "statusCodeClass eq '5xx'").timeseries)
    assert series[0].metadata_values == {"statuscodeclass": "5xx"}


def test_latency_percentiles_include_mirrored_requests(ask: Ask) -> None:
    until(lambda: values(ask("RequestLatency_P95")))
    assert values(ask("RequestLatency_P95", "deployment eq 'green'")) == {("green",): [200.0]}
    assert values(ask("RequestLatency_P50", "deployment eq 'blue'")) == {("blue",): [50.0]}


def test_a_grain_without_requests_is_a_point_without_a_value(ask: Ask) -> None:
    series = until(lambda: ask("RequestsPerMinute").timeseries)
    points = series[0].data
    assert len(points) > 60
    assert sum(point.average is not None for point in points) == 1


def test_an_unknown_value_of_a_dimension_has_no_series_at_all(ask: Ask) -> None:
    until(lambda: values(ask("RequestsPerMinute")))
    assert ask("RequestsPerMinute", "deployment eq 'red'").timeseries == []


def test_a_deployment_has_metrics_of_its_own(ask: Ask) -> None:
    resource, namespace = f"{ENDPOINT}/deployments/blue", f"{NAMESPACE}/deployments"
    until(lambda: values(ask("RequestsPerMinute", resource=resource, namespace=namespace)))
    by_code = values(ask("RequestsPerMinute", "envoy_response_code eq '500'", resource, namespace))
    assert by_code == {("500",): [25 * 60 / MINUTE]}
    assert values(ask("RequestLatency_P50", None, resource, namespace)) == {(): [50.0]}


def test_capacity_is_the_number_of_instances(ask: Ask) -> None:
    resource, namespace = f"{ENDPOINT}/deployments/blue", f"{NAMESPACE}/deployments"
    found = until(lambda: values(ask("DeploymentCapacity", "State eq '*'", resource, namespace)))
    assert set(found) == {("Ready",)}
    assert set(found["Ready",]) == {3.0}


@pytest.mark.parametrize(
    ("name", "filter_", "message"),
    [
        ("Latency", None, "Failed to find metric configuration"),
        ("RequestsPerMinute", "endpoint eq 'credit'", "no dimension 'endpoint'"),
        ("RequestsPerMinute", "deployment is 'blue'", "not understood"),
    ],
)
def test_a_wrong_question_is_a_400_that_says_what_is_wrong(
    ask: Ask, name: str, filter_: str | None, message: str
) -> None:
    with pytest.raises(HttpResponseError, match=message) as refused:
        ask(name, filter_)
    assert refused.value.status_code == 400


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ([ENDPOINT] * 51, "between 1 and 50"),
        ([], "between 1 and 50"),
        ([ENDPOINT, ENDPOINT.replace("-000000000001", "-000000000009")], "subscription"),
        ([ENDPOINT, f"{ENDPOINT}/deployments/blue"], "no metrics in the namespace"),
    ],
)
def test_a_batch_has_up_to_fifty_resources_of_one_subscription_and_type(
    monitor: Running, resources: list[str], message: str
) -> None:
    subscription = ENDPOINT.partition("/resourcegroups/")[0]
    reply = requests.post(
        f"{monitor.url}{subscription}/metrics:getBatch",
        params={"metricnames": "RequestLatency", "metricnamespace": NAMESPACE, "api-version": "2024-02-01"},
        json={"resourceids": resources},
        headers={"Authorization": "Bearer x"},
        verify=str(monitor.cloud.ca_file),
        timeout=10,
    )
    assert reply.status_code == 400
    assert message in reply.json()["error"]["message"]


def test_one_resource_by_arm_and_its_errors_without_a_wrapper(monitor: Running, ask: Ask) -> None:
    until(lambda: values(ask("RequestsPerMinute")))
    url = f"{monitor.url}{ENDPOINT}/providers/Microsoft.Insights/metrics?api-version=2023-10-01"

    def get(query: str) -> requests.Response:
        bearer = {"Authorization": "Bearer x"}
        return requests.get(f"{url}&{query}", headers=bearer, verify=str(monitor.cloud.ca_file), timeout=10)

    body = get("metricnames=RequestLatency_P99&$filter=deployment eq 'green'&timespan=PT5M").json()
    assert body["value"][0]["name"]["value"] == "RequestLatency_P99"
    points = body["value"][0]["timeseries"][0]["data"]
    assert [point["average"] for point in points if "average" in point] == [200.0]
    assert get("metricnames=Latency").json()["code"] == "BadRequest"
