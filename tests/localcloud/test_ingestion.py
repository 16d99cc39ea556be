"""Application Insights ingestion, by the real OpenTelemetry exporter and by other SDKs' wire forms."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from localcloud.monitor.kql import Limits, Scope, run
from localcloud.monitor.store import TableStore
from localcloud.settings import Settings
from tests.localcloud.monitor_cloud import Running, running, until

SETTINGS = Settings(ingestion_seconds=0.0, minute_seconds=0.5)
KEY = SETTINGS.instrumentation_key


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[Running]:
    with running(SETTINGS, tmp_path) as started:
        yield started


@pytest.fixture
def track(monitor: Running) -> Callable[..., requests.Response]:
    def send(body: bytes, path: str = "/v2.1/track", **headers: str) -> requests.Response:
        return requests.post(
            monitor.url + path, data=body, headers=headers, verify=str(monitor.cloud.ca_file), timeout=10
        )

    return send


def rows(monitor: Running, query: str) -> list[list[Any]]:
    assert isinstance(monitor.cloud.tables, TableStore)
    return run(monitor.cloud.tables, query, Scope(), Limits(100)).rows


def envelope(kind: str, base: dict[str, Any], key: str = KEY) -> dict[str, Any]:
    return {
        "name": f"Microsoft.ApplicationInsights.{kind}",
        "time": "2026-11-21T12:00:00.1234567Z",
        "iKey": key,
        "tags": {"ai.cloud.role": "understudy", "ai.operation.id": "op"},
        "data": {"baseType": kind, "baseData": {"ver": 2, **base}},
    }


def message(text: str, **others: Any) -> dict[str, Any]:
    return envelope("MessageData", {"message": text, "severityLevel": 1}, **others)


@pytest.fixture
def quiet(monitor: Running, monkeypatch: pytest.MonkeyPatch) -> str:
    """The connection string, in an environment in which the exporters ask nobody else."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(monitor.cloud.ca_file))
    for name in ("STATSBEAT_DISABLED_ALL", "CONTROLPLANE_DISABLED", "SDKSTATS_DISABLED"):
        monkeypatch.setenv(f"APPLICATIONINSIGHTS_{name}", "true")
    monkeypatch.setenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "otel")
    return f"InstrumentationKey={KEY};IngestionEndpoint={monitor.url}/;LiveEndpoint={monitor.url}/"


def test_the_real_exporters_log_lines_become_traces(monitor: Running, quiet: str) -> None:
    from azure.monitor.opentelemetry.exporter import AzureMonitorLogExporter
    from opentelemetry._logs import SeverityNumber
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor

    provider = LoggerProvider(shutdown_on_exit=False)
    exporter = AzureMonitorLogExporter(connection_string=quiet, disable_offline_storage=True)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    provider.get_logger("drift").emit(
        body=json.dumps({"type": "OverallDriftMetrics", "data": {"dataset_drift": True}}),
        severity_number=SeverityNumber.INFO,
    )
    provider.force_flush()
    provider.shutdown()
    found = until(lambda: rows(monitor, "AppTraces | project parse_json(Message).data.dataset_drift, SeverityLevel"))
    assert found == [["true", 1]]


def export_drift_score(connection_string: str) -> None:
    """Two values of one gauge and three of one histogram, by the real exporter."""
    from azure.monitor.opentelemetry.exporter import AzureMonitorMetricExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    exporter = AzureMonitorMetricExporter(connection_string=connection_string, disable_offline_storage=True)
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    provider = MeterProvider([reader], shutdown_on_exit=False)
    meter = provider.get_meter("understudy")
    gauge = meter.create_gauge("drift_score")
    gauge.set(0.5, {"feature": "sex"})
    gauge.set(0.25, {"feature": "age"})
    histogram = meter.create_histogram("look_seconds")
    for seconds in (1, 2, 6):
        histogram.record(seconds)
    provider.shutdown()  # which exports once more, and here for the first time


def metric(monitor: Running, name: str, aggregation: str, dimension: str = "") -> dict[str, float]:
    """The newest value of a custom metric of the component, by its dimension's value."""
    settings = monitor.cloud.settings
    component = f"/subscriptions/{settings.subscription_id}/resourceGroups/{settings.resource_group}"
    component += f"/providers/Microsoft.Insights/components/{settings.workspace}"
    reply = requests.get(
        f"{monitor.url}{component}/providers/Microsoft.Insights/metrics",
        params={
            "metricnames": name,
            "metricnamespace": "azure.applicationinsights",
            "aggregation": aggregation,
            "$filter": f"{dimension} eq '*'" if dimension else "",
        },
        headers={"Authorization": "Bearer x"},
        verify=str(monitor.cloud.ca_file),
        timeout=10,
    )
    assert reply.status_code == 200, reply.text
    return {
        one["metadatavalues"][0]["value"] if one["metadatavalues"] else "": point[aggregation.lower()]
        for one in reply.json()["value"][0]["timeseries"]
        for point in one["data"]
        if aggregation.lower() in point
    }


def test_the_real_exporters_metrics_stand_in_app_metrics_and_as_custom_metrics_of_the_component(
    monitor: Running, quiet: str
) -> None:
    export_drift_score(quiet)
    query = "AppMetrics | where Name == 'drift_score' | project Sum, f = tostring(Properties.feature) | order by f asc"
    assert rows(monitor, query) == [[0.25, "age"], [0.5, "sex"]]
    assert until(lambda: metric(monitor, "drift_score", "Maximum")) == {"": 0.5}
    histogram = {name: metric(monitor, "look_seconds", name)[""] for name in ("Total", "Count", "Minimum", "Maximum")}
    assert histogram == {"Total": 9, "Count": 3, "Minimum": 1, "Maximum": 6}


def test_the_metrics_store_keeps_dimensions_only_when_the_component_is_set_to(
    tmp_path: Path, track: Callable[..., requests.Response], monitor: Running
) -> None:
    point = {"metrics": [{"name": "psi", "value": 0.3}], "properties": {"feature": "sex"}}
    now = datetime.now(UTC).isoformat()
    assert track(json.dumps([{**envelope("MetricData", point), "time": now}]).encode()).status_code == 200
    assert until(lambda: metric(monitor, "psi", "Average")) == {"": 0.3}
    with pytest.raises(AssertionError, match="no dimension 'feature'"):
        metric(monitor, "psi", "Average", "feature")
    with running(replace(SETTINGS, custom_metric_dimensions=True), tmp_path / "opted-in") as opted_in:
        requests.post(
            f"{opted_in.url}/v2.1/track",
            json=[{**envelope("MetricData", point), "time": now}],
            verify=str(opted_in.cloud.ca_file),
            timeout=10,
        )
        assert until(lambda: metric(opted_in, "psi", "Average", "feature")) == {"sex": 0.3}


def test_every_kind_of_telemetry_has_its_table(monitor: Running, track: Callable[..., requests.Response]) -> None:
    kinds = [
        message("hello"),
        envelope("MetricData", {"metrics": [{"name": "psi", "value": 0.3}], "properties": {"endpoint": "credit"}}),
        envelope("EventData", {"name": "promoted"}),
        envelope(
            "RequestData",
            {"id": "1", "name": "GET /", "duration": "00:00:00.345", "responseCode": "500", "success": False},
        ),
        envelope("RemoteDependencyData", {"id": "2", "name": "PUT", "duration": "1.00:00:01", "success": True}),
        envelope("ExceptionData", {"exceptions": [{"typeName": "ValueError", "message": "no"}]}),
    ]
    reply = track(json.dumps(kinds).encode())
    assert (reply.status_code, reply.json()["itemsAccepted"]) == (200, 6)
    assert rows(monitor, "AppTraces | project Message, AppRoleName, OperationId") == [["hello", "understudy", "op"]]
    assert rows(monitor, "AppMetrics | project Name, Sum, ItemCount, e = tostring(Properties.endpoint)") == [
        ["psi", 0.3, 1, "credit"]
    ]
    assert rows(monitor, "AppEvents | project Name") == [["promoted"]]
    assert rows(monitor, "AppRequests | project DurationMs, ResultCode, Success") == [[345.0, "500", False]]
    assert rows(monitor, "AppDependencies | project DurationMs") == [[86_401_000.0]]
    assert rows(monitor, "AppExceptions | project ExceptionType, OuterMessage") == [["ValueError", "no"]]


@pytest.mark.parametrize("path", ["/v2/track", "/v2.1/track"])
def test_gzipped_lines_of_json_are_read_too(
    monitor: Running, track: Callable[..., requests.Response], path: str
) -> None:
    lines = "\n".join(json.dumps(message(text)) for text in ("a", "b"))
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/x-json-stream"}
    assert track(gzip.compress(lines.encode()), path, **headers).json()["itemsAccepted"] == 2
    assert rows(monitor, "AppTraces | project Message | order by Message asc") == [["a"], ["b"]]


def test_a_bad_item_is_refused_by_itself(monitor: Running, track: Callable[..., requests.Response]) -> None:
    items = [message("kept"), message("lost", key="11111111-1111-1111-1111-111111111111"), {"data": {}}]
    reply = track(json.dumps(items).encode())
    assert reply.status_code == 206
    assert [error["index"] for error in reply.json()["errors"]] == [1, 2]
    assert rows(monitor, "AppTraces | project Message") == [["kept"]]


def test_a_body_that_is_no_json_is_a_400(track: Callable[..., requests.Response]) -> None:
    assert track(b"{nonsense").status_code == 400


def test_a_long_message_and_a_long_property_are_cut_where_the_service_cuts_them(
    monitor: Running, track: Callable[..., requests.Response]
) -> None:
    long = message("x" * 40_000)
    long["data"]["baseData"]["properties"] = {"k": "y" * 9_000}
    track(json.dumps([long]).encode())
    query = "AppTraces | project strlen(Message), strlen(tostring(Properties.k))"
    assert rows(monitor, query) == [[32_768, 8_192]]
