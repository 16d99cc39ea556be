"""Rows as a Parquet file. JSON's own types are kept: a column of one kind keeps it, a mixed one becomes JSON text.

The bytes are a function of the rows alone, so that the same window written twice is the same file.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from export.pairs import OWN_COLUMNS

if TYPE_CHECKING:
    import pyarrow

_LONGEST_INT = 2**63


def encode(rows: Sequence[dict[str, Any]]) -> bytes:
    """One Parquet file: our own columns first, then the features by name."""
    import pyarrow
    import pyarrow.parquet

    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(table(rows), sink, compression="zstd")
    encoded: bytes = sink.getvalue().to_pybytes()
    return encoded


def table(rows: Sequence[dict[str, Any]]) -> pyarrow.Table:
    """The rows as a table. A feature that a row does not have is null there."""
    import pyarrow

    features = sorted({name for row in rows for name in row if name not in OWN_COLUMNS})
    columns = {
        "time": pyarrow.array([row["time"] for row in rows], pyarrow.timestamp("us", tz="UTC")),
        "deployment": pyarrow.array([row["deployment"] for row in rows], pyarrow.string()),
        "service": pyarrow.array([row["service"] for row in rows], pyarrow.string()),
        "request_id": pyarrow.array([row["request_id"] for row in rows], pyarrow.string()),
        "row": pyarrow.array([row["row"] for row in rows], pyarrow.int32()),
    }
    columns |= {name: column([row.get(name) for row in rows]) for name in [*features, "prediction"]}
    return pyarrow.table(columns)


def column(values: Sequence[Any]) -> pyarrow.Array:
    """Values of JSON in the narrowest type that holds them all unchanged; JSON text where there is none."""
    import pyarrow

    kinds = {_kind(value) for value in values} - {"null"}
    if not kinds:
        return pyarrow.nulls(len(values))
    if kinds == {"integer", "real"}:
        return pyarrow.array([None if v is None else float(v) for v in values], pyarrow.float64())
    if len(kinds) == 1 and (kind := kinds.pop()) != "other":
        types = {
            "boolean": pyarrow.bool_(),
            "integer": pyarrow.int64(),
            "real": pyarrow.float64(),
            "text": pyarrow.string(),
        }
        return pyarrow.array(values, types[kind])
    return pyarrow.array([None if v is None else _text(v) for v in values], pyarrow.string())


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if -_LONGEST_INT <= value < _LONGEST_INT else "other"
    if isinstance(value, float):
        return "real"
    return "text" if isinstance(value, str) else "other"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
