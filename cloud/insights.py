"""Log messages, events and metrics to Application Insights, sent before the call returns.

OpenTelemetry's log processors swallow a failed export, and a drift result must not be lost; so the Azure Monitor
exporter is called directly with one record and its answer is looked at. Nothing global is configured: the host's own
telemetry stays as it is. Read back by workspace id as table AppTraces, column Message
(learn.microsoft.com/azure/azure-monitor/reference/tables/apptraces).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cloud.errors import Permanent, Temporary

if TYPE_CHECKING:
    from azure.monitor.opentelemetry.exporter import AzureMonitorLogExporter, AzureMonitorMetricExporter

LONGEST_MESSAGE = 32_000
"""Characters. The exporter cuts at 32,768 without a word, and half a JSON text is no JSON."""
LOGGER_NAME = "understudy"
CUSTOM_EVENT_NAME = "microsoft.custom_event.name"
"""The attribute that makes the exporter send a log record as a custom event."""


@dataclass(frozen=True)
class Point:
    """One value of a metric, with its dimensions."""

    name: str
    value: float
    dimensions: Mapping[str, str]


class Insights:
    """One Application Insights resource, by its connection string."""

    def __init__(self, connection_string: str) -> None:
        self._connection_string = connection_string

    def trace(self, message: Mapping[str, Any]) -> None:
        """Send one message as one line of JSON at level Information.

        Permanent when it is too long or the connection string is wrong, Temporary when it was not accepted.
        ValueError for NaN or infinity: neither exists in JSON.
        """
        text = json.dumps(message, allow_nan=False, separators=(",", ":"))
        if len(text) > LONGEST_MESSAGE:
            raise Permanent(f"a log message of {len(text)} characters is over {LONGEST_MESSAGE}: split it")
        self._send(_record(text, {}, time.time_ns()), "a message")

    def event(self, name: str, properties: Mapping[str, str], *, at: datetime) -> None:
        """Send one custom event that happened `at`; read back as table AppEvents, columns Name and Properties.

        Permanent when the connection string is wrong, Temporary when it was not accepted.
        """
        attributes = {**properties, CUSTOM_EVENT_NAME: name}
        self._send(_record(name, attributes, int(at.timestamp() * 1e9)), "an event")

    def metrics(self, points: Sequence[Point], *, at: datetime) -> None:
        """Send values that were measured `at`; read back as table AppMetrics, columns Name, Sum and Properties.

        Permanent when the connection string is wrong, Temporary when they were not accepted.
        """
        from opentelemetry.sdk.metrics.export import MetricExportResult

        data = _metrics_data(points, int(at.timestamp() * 1e9))
        if _metric_exporter(self._connection_string).export(data) is not MetricExportResult.SUCCESS:
            raise Temporary("sending metrics to Application Insights: they were not accepted")

    def _send(self, record: Any, what: str) -> None:
        from opentelemetry.sdk._logs.export import LogRecordExportResult

        if _exporter(self._connection_string).export([record]) is not LogRecordExportResult.SUCCESS:
            raise Temporary(f"sending {what} to Application Insights: it was not accepted")


OPTIONS: Mapping[str, Any] = {
    "disable_offline_storage": True,  # a kept message would be sent again next to the caller's own retry
    "timeout": 10.0,
    "retry_total": 2,
}


@lru_cache(maxsize=4)
def _exporter(connection_string: str) -> AzureMonitorLogExporter:
    """One for the whole process: each has its own connections and, on Azure, its own statistics thread."""
    from azure.monitor.opentelemetry.exporter import AzureMonitorLogExporter

    try:
        return AzureMonitorLogExporter(connection_string=connection_string, **OPTIONS)
    except ValueError as error:
        raise _unusable(error) from error


@lru_cache(maxsize=4)
def _metric_exporter(connection_string: str) -> AzureMonitorMetricExporter:
    """The same for metrics."""
    from azure.monitor.opentelemetry.exporter import AzureMonitorMetricExporter

    try:
        return AzureMonitorMetricExporter(connection_string=connection_string, **OPTIONS)
    except ValueError as error:
        raise _unusable(error) from error


def _unusable(error: ValueError) -> Permanent:
    return Permanent(f"APPLICATIONINSIGHTS_CONNECTION_STRING cannot be used: {error}")


def _metrics_data(points: Sequence[Point], at_ns: int) -> Any:
    """What an OpenTelemetry reader would hand to the exporter."""
    from opentelemetry.sdk.metrics.export import (
        Gauge,
        Metric,
        MetricsData,
        NumberDataPoint,
        ResourceMetrics,
        ScopeMetrics,
    )
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    found = [
        Metric(one.name, "", "s", Gauge([NumberDataPoint(dict(one.dimensions), at_ns, at_ns, one.value)]))
        for one in points
    ]
    scope = ScopeMetrics(InstrumentationScope(LOGGER_NAME), found, "")
    return MetricsData([ResourceMetrics(Resource({"service.name": LOGGER_NAME}), [scope], "")])


def _record(text: str, attributes: Mapping[str, str], at_ns: int) -> Any:
    from opentelemetry._logs import LogRecord, SeverityNumber
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    record = LogRecord(
        timestamp=at_ns,
        observed_timestamp=at_ns,
        severity_number=SeverityNumber.INFO,
        severity_text="INFO",
        body=text,
        attributes=dict(attributes),  # the exporter reads them without looking whether there are any
    )
    return ReadableLogRecord(
        log_record=record,
        resource=Resource({"service.name": LOGGER_NAME}),
        instrumentation_scope=InstrumentationScope(LOGGER_NAME),
    )
