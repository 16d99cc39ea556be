"""One console line of a scoring script into a record, whatever the inference server's logger put in front of it.

Old servers write `time | logger | level | pid | id | {json}`, current ones `time L [pid] logger - {json}`: the JSON
object at the end of the line is looked for, never a separator, since both occur inside features too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from export.mending import mended

Kind = Literal["InputData", "OutputData"]
_DECODER = json.JSONDecoder()
_MOST_BRACES = 8
"""How many `{` may come before the one that opens the record; a bound on the work for a broken line."""


@dataclass(frozen=True)
class Line:
    """A row of AmlOnlineEndpointConsoleLog, as far as the export needs it."""

    time: datetime
    ingested: datetime
    deployment: str
    instance: str
    message: str


@dataclass(frozen=True)
class Record:
    """Half of one request: its input rows or its predictions, or one of the parts that a long half is logged in."""

    kind: Kind
    deployment: str
    request_id: str
    service: str
    time: datetime
    ingested: datetime
    values: tuple[Any, ...]
    part: int = 1
    parts: int = 1
    mended: bool = False
    """Whether the line had lone surrogates."""


class Unreadable(ValueError):
    """The line is not a record; the text says why."""


def parse(line: Line) -> Record:
    """The record that the line holds; Unreadable when it is cut, is no JSON or lacks a key."""
    found = _object_at_end(line.message)
    kind = found.get("type")
    if kind not in ("InputData", "OutputData"):
        raise Unreadable(f"type is {kind!r}")
    raw = {**found, "data": _loaded(found.get("data"))}
    clean = _clean(raw)
    request_id, data = clean.get("request_id"), clean["data"]
    if not isinstance(request_id, str) or not request_id:
        raise Unreadable("no request_id")
    part, parts = _part(clean)
    return Record(
        kind=kind,
        deployment=line.deployment,
        request_id=request_id,
        service=str(clean.get("service_name") or ""),
        time=line.time,
        ingested=line.ingested,
        values=_rows(data) if kind == "InputData" else _predictions(data),
        part=part,
        parts=parts,
        mended=clean != raw,
    )


def _clean(found: dict[str, Any]) -> dict[str, Any]:
    try:
        clean: dict[str, Any] = mended(found)
    except ValueError as error:
        raise Unreadable(str(error)) from None
    return clean


def _part(found: dict[str, Any]) -> tuple[int, int]:
    """Which part of its half the line is, of how many. Only both keys together mean this; one may be the script's."""
    if "part" not in found or "parts" not in found:
        return 1, 1
    part, parts = found["part"], found["parts"]
    if type(part) is not int or type(parts) is not int or not 1 <= part <= parts:
        raise Unreadable("part and parts do not say which part of how many this is")
    return part, parts


def _object_at_end(message: str) -> dict[str, Any]:
    text, start = message.rstrip(), -1
    for _ in range(_MOST_BRACES):
        start = text.find("{", start + 1)
        if start < 0:
            break
        try:
            found, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if end == len(text) and isinstance(found, dict):
            return found
    raise Unreadable("no whole JSON object at the end of the line")


def _rows(data: Any) -> tuple[dict[str, Any], ...]:
    """Input rows: a list of objects or of lists, or a single object."""
    rows = [data] if isinstance(data, dict) else data
    if not isinstance(rows, list) or not all(isinstance(row, dict | list) for row in rows):
        raise Unreadable("data is no list of rows")
    return tuple(row if isinstance(row, dict) else {f"feature_{i}": v for i, v in enumerate(row)} for row in rows)


def _predictions(data: Any) -> tuple[Any, ...]:
    """Predictions: the list itself, or the scoring script's whole answer around it."""
    predictions = data.get("predictions") if isinstance(data, dict) else data
    if not isinstance(predictions, list):
        raise Unreadable("data is no list of predictions")
    return tuple(predictions)


def _loaded(data: Any) -> Any:
    """Data may be JSON text inside the JSON, as the example scenario writes it."""
    if not isinstance(data, str):
        return data
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise Unreadable("data is text, but no JSON") from None
