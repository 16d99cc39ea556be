"""DuckDB's columns and cells as Kusto types and the JSON that Log Analytics sends for them."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from localcloud.monitor.timespans import stamp

_TYPES = {
    "BOOLEAN": "bool",
    "TINYINT": "int",
    "UTINYINT": "int",
    "SMALLINT": "int",
    "USMALLINT": "int",
    "INTEGER": "int",
    "UINTEGER": "long",
    "BIGINT": "long",
    "UBIGINT": "long",
    "HUGEINT": "long",
    "UHUGEINT": "long",
    "FLOAT": "real",
    "DOUBLE": "real",
    "UUID": "guid",
    "INTERVAL": "timespan",
    "TIME": "timespan",
    "JSON": "dynamic",
}


def kusto_type(duckdb_type: object) -> str:
    """The Kusto type of a DuckDB column."""
    name = str(duckdb_type).upper()
    if name.startswith(("TIMESTAMP", "DATE")):
        return "datetime"
    if name.startswith("DECIMAL"):
        return "decimal"
    if name.endswith("]") or name.startswith(("STRUCT", "MAP")):
        return "dynamic"
    return _TYPES.get(name, "string")


def cell(value: Any, kind: str) -> Any:
    """One cell as it stands in the reply. Strings are never null; dynamic is JSON text; NaN is a word."""
    if value is None:
        return "" if kind == "string" else None
    match kind:
        case "datetime":
            return _datetime(value)
        case "timespan":
            return _timespan(value) if isinstance(value, timedelta) else str(value)
        case "real":
            return _real(float(value))
        case "dynamic":
            text = value if isinstance(value, str) else json.dumps(_plain(value))
            return None if text == "null" else text
        case "string" | "guid" | "decimal":
            return str(value)
    return value


def _datetime(value: Any) -> str:
    when = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
    return stamp(when.replace(tzinfo=UTC) if when.tzinfo is None else when)


def _timespan(value: timedelta) -> str:
    ticks = round(abs(value) / timedelta(microseconds=1)) * 10
    seconds, fraction = divmod(ticks, 10_000_000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    sign = "-" if value < timedelta() else ""
    return (
        sign
        + (f"{days}." if days else "")
        + f"{hour:02}:{minute:02}:{second:02}"
        + (f".{fraction:07}" if fraction else "")
    )


def _real(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _plain(value: Any) -> Any:
    """A DuckDB list or struct as JSON-able values."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return _datetime(value)
    if isinstance(value, timedelta):
        return _timespan(value)
    if isinstance(value, Decimal):
        return float(value)
    return value
