"""Custom tables, data collection rules and the Logs Ingestion API: typed rows of one's own, by stream.

A table is made first (ARM), then a rule names its stream's columns and its table; rows are then posted to the rule's
immutable id. Columns that the stream does not declare are dropped, values of a wrong type become null, as on Azure; the
only transformation here is `source`. Error codes: UNCONFIRMED.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from localcloud.monitor.store import TableStore
from localcloud.monitor.timespans import moment
from localcloud.seams import AzureError, Json

_MOST_BYTES = 1_048_576
_LONGEST_FIELD = 64 * 1024
_KINDS = {
    "string": "string",
    "int": "int",
    "long": "long",
    "real": "real",
    "boolean": "bool",
    "bool": "bool",
    "datetime": "datetime",
    "dynamic": "dynamic",
}
_OWN = dict.fromkeys(("TenantId", "SourceSystem", "Type", "_ResourceId", "_SubscriptionId", "_ItemId"), "string")
"""What every custom table has beside its columns."""


@dataclass(frozen=True)
class Stream:
    """Where the rows of one stream go."""

    columns: Mapping[str, str]
    table: str


class DataCollection:
    """The custom tables and the rules of one workspace; knows nothing of HTTP."""

    def __init__(self, store: TableStore) -> None:
        self._store = store
        self._rules: dict[str, dict[str, Stream]] = {}

    def put_table(self, name: str, body: Json) -> None:
        """Make a custom table or give it more columns."""
        schema = (body.get("properties") or {}).get("schema") or {}
        if not name.endswith("_CL"):
            raise AzureError(400, "InvalidParameter", f"the name of a custom table ends with _CL, unlike {name}")
        if schema.get("name", name) != name:
            raise AzureError(400, "InvalidParameter", f"schema.name {schema['name']} is not the table's name {name}")
        columns = _columns(schema.get("columns") or ())
        if columns.get("TimeGenerated") != "datetime":
            raise AzureError(400, "InvalidParameter", "schema.columns: TimeGenerated of type dateTime is needed")
        try:
            self._store.add_table(name, {**columns, **_OWN, "_BilledSize": "real", "_IsBillable": "string"})
        except ValueError as error:
            raise AzureError(400, "InvalidParameter", str(error)) from error

    def put_rule(self, rule_id: str, body: Json) -> str:
        """Make or replace a rule; its immutable id."""
        properties = body.get("properties") or {}
        declared = {
            name: _columns(declaration.get("columns") or ())
            for name, declaration in (properties.get("streamDeclarations") or {}).items()
        }
        streams: dict[str, Stream] = {}
        for flow in properties.get("dataFlows") or ():
            if str(flow.get("transformKql", "source")).strip() != "source":
                raise AzureError(501, "LocalStandInUnsupported", "only transformKql `source` runs in the local Azure")
            for name in flow.get("streams") or ():
                streams[name] = Stream(self._declared(declared, name), self._output(flow, name))
        immutable_id = "dcr-" + hashlib.sha256(rule_id.lower().encode()).hexdigest()[:32]
        self._rules[immutable_id] = streams
        return immutable_id

    def remove_rule(self, immutable_id: str) -> None:
        """Forget a rule; its streams then answer 404."""
        self._rules.pop(immutable_id, None)

    def ingest(self, immutable_id: str, stream_name: str, body: bytes) -> None:
        """Take the rows of one call; AzureError says why not. All of them are taken or none."""
        if immutable_id not in self._rules:
            missing = f"Data collection rule with immutable Id '{immutable_id}' not found."
            raise AzureError(404, "NotFound", missing)
        stream = self._rules[immutable_id].get(stream_name)
        if stream is None:
            raise AzureError(400, "InvalidStream", f"Data collection rule has no stream {stream_name}.")
        rows = _rows(body)
        self._store.append(stream.table, [_row(row, stream.columns) for row in rows])

    def _declared(self, declared: Mapping[str, Mapping[str, str]], name: str) -> Mapping[str, str]:
        if name not in declared:
            raise AzureError(400, "InvalidPayload", f"streamDeclarations: the stream {name} is not declared")
        if "TimeGenerated" not in declared[name]:
            raise AzureError(400, "InvalidTransformOutput", f"{name}: the column TimeGenerated is needed")
        return declared[name]

    def _output(self, flow: Json, name: str) -> str:
        table = str(flow.get("outputStream", name)).removeprefix("Custom-")
        if table not in self._store.tables:
            raise AzureError(400, "InvalidOutputTable", f"Table for output stream 'Custom-{table}' is not available.")
        return table


def _columns(listed: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for column in listed:
        kind = _KINDS.get(str(column.get("type", "")).lower())
        if kind is None:
            raise AzureError(400, "InvalidParameter", f"column {column.get('name')}: no type {column.get('type')!r}")
        found[str(column["name"])] = kind
    return found


def _rows(body: bytes) -> list[Json]:
    if len(body) > _MOST_BYTES:
        raise _too_large(len(body))
    try:
        # aiohttp has already undone a declared Content-Encoding; some senders gzip without declaring it.
        text = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
        rows = json.loads(text)
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise AzureError(400, "InvalidPayload", f"the body cannot be read: {error}") from error
    if len(text) > _MOST_BYTES:
        raise _too_large(len(text))
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise AzureError(400, "InvalidPayload", "the body must be a JSON array of objects")
    return rows


def _too_large(size: int) -> AzureError:
    message = f"Maximum allowed content length: {_MOST_BYTES} bytes (1 MB). Provided content length: {size} bytes."
    return AzureError(413, "ContentLengthLimitExceeded", message)


def _row(row: Json, columns: Mapping[str, str]) -> Json:
    kept = {name: _value(row[name], kind) for name, kind in columns.items() if name in row}
    if kept.get("TimeGenerated") is None:
        kept.pop("TimeGenerated", None)  # the time of receipt then stands in for it
    return kept


def _value(value: Any, kind: str) -> Any:
    """The value as the column's type; None when it is of another."""
    try:
        match kind:
            case "string":
                return (value if isinstance(value, str) else json.dumps(value))[:_LONGEST_FIELD]
            case "datetime":
                return value if isinstance(value, datetime) else moment(str(value))
            case "int" | "long":
                return int(value)
            case "real":
                return float(value)
            case "bool":
                return value if isinstance(value, bool) else None
    except (ValueError, TypeError):
        return None
    return value
