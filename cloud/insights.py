"""Log messages to Application Insights, sent before the call returns.

OpenTelemetry's log processors swallow a failed export, and a drift result must not be lost; so the Azure Monitor
exporter is called directly with one record and its answer is looked at. Nothing global is configured: the host's own
telemetry stays as it is. Read back by workspace id as table AppTraces, column Message
(learn.microsoft.com/azure/azure-monitor/reference/tables/apptraces).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cloud.errors import Permanent, Temporary

if TYPE_CHECKING:
    from azure.monitor.opentelemetry.exporter import AzureMonitorLogExporter

LONGEST_MESSAGE = 32_000
"""Characters. The exporter cuts at 32,768 without a word, and half a JSON text is no JSON."""
LOGGER_NAME = "understudy"
CUSTOM_EVENT_NAME = "microsoft.custom_event.name"
"""The attribute that makes the exporter send a log record as a custom event."""


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

    def _send(self, record: Any, what: str) -> None:
        from opentelemetry.sdk._logs.export import LogRecordExportResult

        if _exporter(self._connection_string).export([record]) is not LogRecordExportResult.SUCCESS:
            raise Temporary(f"sending {what} to Application Insights: it was not accepted")


@lru_cache(maxsize=4)
def _exporter(connection_string: str) -> AzureMonitorLogExporter:
    """One for the whole process: each has its own connections and, on Azure, its own statistics thread."""
    from azure.monitor.opentelemetry.exporter import AzureMonitorLogExporter

    try:
        return AzureMonitorLogExporter(
            connection_string=connection_string,
            disable_offline_storage=True,  # a kept message would be sent again next to the caller's own retry
            timeout=10.0,
            retry_total=2,
        )
    except ValueError as error:
        raise Permanent(f"APPLICATIONINSIGHTS_CONNECTION_STRING cannot be used: {error}") from error


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
