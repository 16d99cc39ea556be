"""Application Insights' telemetry envelopes ("breeze") as rows of the App* tables.

Only what Python's exporters send is read: messages, metrics, events, requests, dependencies and exceptions. An envelope
that cannot be read is refused by itself; its neighbours are kept, as the service does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from localcloud.monitor.timespans import moment
from localcloud.seams import Json

_LONGEST_MESSAGE = 32_768
_LONGEST_PROPERTY = 8_192
_DURATION = re.compile(r"^(?:(?P<days>\d+)\.)?(?P<hours>\d+):(?P<minutes>\d+):(?P<seconds>\d+(?:\.\d+)?)$")


class Unreadable(ValueError):
    """One envelope that the service would refuse."""


def rows(envelope: Json, resource_id: str, received: datetime) -> tuple[str, list[Json]]:
    """The table and rows of one envelope; Unreadable says what is wrong with it."""
    try:
        data = envelope["data"]
        kind, base = data["baseType"], data["baseData"]
        reader = _READERS[kind]
    except (KeyError, TypeError) as error:
        raise Unreadable(f"not a telemetry envelope that is known here: {error}") from None
    common = _common(envelope, base, resource_id, received)
    table, parts = reader(base)
    return table, [common | part for part in parts]


def _common(envelope: Json, base: Json, resource_id: str, received: datetime) -> Json:
    tags = envelope.get("tags") or {}
    try:
        generated = moment(envelope["time"]) if envelope.get("time") else received
    except ValueError as error:
        raise Unreadable(f"time: {error}") from None
    return {
        "TimeGenerated": generated,
        "_ResourceId": resource_id,
        "OperationName": tags.get("ai.operation.name", ""),
        "OperationId": tags.get("ai.operation.id", ""),
        "ParentId": tags.get("ai.operation.parentId", ""),
        "AppRoleName": tags.get("ai.cloud.role", ""),
        "AppRoleInstance": tags.get("ai.cloud.roleInstance", ""),
        "SDKVersion": tags.get("ai.internal.sdkVersion", ""),
        "IKey": envelope.get("iKey", ""),
        "ItemCount": round(100 / float(envelope.get("sampleRate") or 100)),
        "Properties": {name: _cut(value) for name, value in (base.get("properties") or {}).items()},
        "Measurements": base.get("measurements") or {},
    }


def _cut(value: Any) -> Any:
    return value[:_LONGEST_PROPERTY] if isinstance(value, str) else value


def _message(base: Json) -> tuple[str, list[Json]]:
    row = {"Message": str(base.get("message", ""))[:_LONGEST_MESSAGE], "SeverityLevel": _severity(base)}
    return "AppTraces", [row]


def _metric(base: Json) -> tuple[str, list[Json]]:
    points = base.get("metrics")
    if not points:
        raise Unreadable("MetricData without metrics")
    return "AppMetrics", [
        {
            "Name": str(point["name"]),
            "Sum": float(point["value"]),
            "Min": float(point["min"] if point.get("min") is not None else point["value"]),
            "Max": float(point["max"] if point.get("max") is not None else point["value"]),
            "ItemCount": int(point.get("count") or 1),
        }
        for point in points
    ]


def _event(base: Json) -> tuple[str, list[Json]]:
    return "AppEvents", [{"Name": str(base.get("name", ""))}]


def _request(base: Json) -> tuple[str, list[Json]]:
    row = _call(base) | {
        "Url": str(base.get("url") or ""),
        "Source": str(base.get("source") or ""),
        "ResultCode": str(base.get("responseCode") or ""),
    }
    return "AppRequests", [row]


def _dependency(base: Json) -> tuple[str, list[Json]]:
    row = _call(base) | {
        "Target": str(base.get("target") or ""),
        "Data": str(base.get("data") or ""),
        "DependencyType": str(base.get("type") or ""),
        "ResultCode": str(base.get("resultCode") or ""),
    }
    return "AppDependencies", [row]


def _call(base: Json) -> Json:
    return {
        "Id": str(base.get("id") or ""),
        "Name": str(base.get("name") or ""),
        "Success": bool(base.get("success", True)),
        "DurationMs": _milliseconds(str(base.get("duration") or "00:00:00")),
    }


def _exception(base: Json) -> tuple[str, list[Json]]:
    details = base.get("exceptions") or [{}]
    outer, inner = details[0], details[-1]
    row = {
        "ProblemId": str(base.get("problemId") or outer.get("typeName") or ""),
        "ExceptionType": str(outer.get("typeName") or ""),
        "OuterType": str(outer.get("typeName") or ""),
        "OuterMessage": str(outer.get("message") or ""),
        "InnermostType": str(inner.get("typeName") or ""),
        "InnermostMessage": str(inner.get("message") or ""),
        "SeverityLevel": _severity(base),
        "Details": details,
    }
    return "AppExceptions", [row]


def _severity(base: Json) -> int | None:
    level: Any = base.get("severityLevel")
    names = ("verbose", "information", "warning", "error", "critical")
    if isinstance(level, str) and level.lower() in names:
        return names.index(level.lower())
    return int(level) if level is not None else None


def _milliseconds(text: str) -> float:
    match = _DURATION.match(text)
    if match is None:
        raise Unreadable(f"duration {text!r}")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000


_READERS: dict[str, Callable[[Json], tuple[str, list[Json]]]] = {
    "MessageData": _message,
    "MetricData": _metric,
    "EventData": _event,
    "RequestData": _request,
    "RemoteDependencyData": _dependency,
    "ExceptionData": _exception,
}
