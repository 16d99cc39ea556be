"""Application Insights ingestion, by the real OpenTelemetry exporter and by other SDKs' wire forms."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from localcloud.monitor.kql import Limits, Scope, run
from localcloud.monitor.store import TableStore
from localcloud.settings import Settings
from tests.localcloud.monitor_cloud import Running, running, until

SETTINGS = Settings(ingestion_seconds=0.0)
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


def test_the_real_exporters_log_lines_become_traces(monitor: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(monitor.cloud.ca_file))
    for name in ("STATSBEAT_DISABLED_ALL", "CONTROLPLANE_DISABLED", "SDKSTATS_DISABLED"):
        monkeypatch.setenv(f"APPLICATIONINSIGHTS_{name}", "true")
    monkeypatch.setenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "otel")
    from azure.monitor.opentelemetry.exporter import AzureMonitorLogExporter
    from opentelemetry._logs import SeverityNumber
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor

    provider = LoggerProvider(shutdown_on_exit=False)
    exporter = AzureMonitorLogExporter(
        connection_string=f"InstrumentationKey={KEY};IngestionEndpoint={monitor.url}/;LiveEndpoint={monitor.url}/",
        disable_offline_storage=True,
    )
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    provider.get_logger("drift").emit(
        body=json.dumps({"type": "OverallDriftMetrics", "data": {"dataset_drift": True}}),
        severity_number=SeverityNumber.INFO,
    )
    provider.force_flush()
    provider.shutdown()
    found = until(lambda: rows(monitor, "AppTraces | project parse_json(Message).data.dataset_drift, SeverityLevel"))
    assert found == [["true", 1]]


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


def test_a_long_message_is_cut_where_the_service_cuts_it(
    monitor: Running, track: Callable[..., requests.Response]
) -> None:
    track(json.dumps([message("x" * 40_000)]).encode())
    assert rows(monitor, "AppTraces | project strlen(Message)") == [[32_768]]
