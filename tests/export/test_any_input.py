"""Whatever JSON a client sends, its line ends in the data set or among the unreadable ones; nothing raises."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from export.lines import Line, Unreadable, parse
from export.mending import DEEPEST
from export.pairs import OWN_COLUMNS, pair, shown
from export.parquet import encode
from export.store import json_lines, packed, unpacked

TIME = datetime(2026, 11, 21, 12, tzinfo=UTC)
NAMES = st.text(st.characters(categories=["Cs", "L", "Cc"]), max_size=3) | st.sampled_from(
    [*OWN_COLUMNS, *(f"feature_{name}" for name in OWN_COLUMNS), "\ud800", "\\ud800", ""]
)
NUMBERS = st.integers() | st.floats() | st.sampled_from([2**63, -(2**63) - 1, 2**53 + 1, 10**4000])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(st.characters(categories=["Cs", "L", "Cc", "So"]), max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
ROWS = st.lists(st.dictionaries(NAMES, VALUES, max_size=4) | st.lists(VALUES, max_size=3), max_size=4)


def lines(rows: Any, predictions: Any, **fields: Any) -> list[Line]:
    body = {"service_name": "online/m/1", "request_id": "r1", **fields}
    halves = [{"type": "InputData", "data": json.dumps(rows)}, {"type": "OutputData", "data": predictions}]
    return [Line(TIME, TIME, "blue", "i-1", f"12:00 I [42] score - {json.dumps({**body, **half})}") for half in halves]


def exported(found: list[Line]) -> tuple[list[dict[str, Any]], int]:
    """Through everything that the export does with lines: the rows of the file, and how many lines were put aside."""
    records, aside = [], 0
    for line in found:
        try:
            records.append(parse(line))
        except Unreadable as error:
            aside += 1
            json_lines([{"reason": str(error), "message": line.message}])
    waiting = [shown(record) for record in records]
    assert len(unpacked(packed(waiting))) == len(waiting)
    paired = pair(records, TIME)
    json_lines({"reason": one.reason, **one.line} for one in paired.problems)
    table = pyarrow.parquet.read_table(io.BytesIO(encode(paired.rows)))
    return table.to_pylist(), aside + len(paired.problems) + len(paired.waiting)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=ROWS, data=st.data())
def test_any_rows_and_predictions_are_exported_or_put_aside(rows: list[Any], data: st.DataObject) -> None:
    predictions = data.draw(st.lists(VALUES, min_size=len(rows), max_size=len(rows)))
    found, aside = exported(lines(rows, predictions))
    assert (len(found), aside) in ((len(rows), 0), (0, 2))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(fields=st.dictionaries(st.sampled_from(["request_id", "service_name", "part", "parts"]), VALUES), data=VALUES)
def test_any_record_is_exported_or_put_aside(fields: dict[str, Any], data: Any) -> None:
    found, aside = exported(lines(data, data, **fields))
    assert aside in (0, 1, 2)
    assert not (found and aside)


def test_a_lone_surrogate_is_spelled_out_and_the_line_is_marked() -> None:
    line = lines([{"name": "a\ud800b", "\udfff": 1, "smile": "\U0001f600"}], [0.5])[0]
    record = parse(line)
    assert record.values == ({"name": "a\\ud800b", "\\udfff": 1, "smile": "\U0001f600"},)
    assert record.mended
    assert not parse(lines([{"name": "\U0001f600 é", "number": float("nan")}], [0.5])[0]).mended


@pytest.mark.parametrize(("levels", "fine"), [(DEEPEST - 3, True), (DEEPEST, False), (900, False)])
def test_nesting_has_an_end_wherever_it_is_written_later(levels: int, fine: bool) -> None:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    found, aside = exported(lines([{"deep": value}], [0]))
    assert (len(found), aside) == ((1, 0) if fine else (0, 2))


def test_features_whose_names_meet_once_they_are_spelled_out_are_put_aside() -> None:
    assert exported(lines([{"\ud800": 1, "\\ud800": 2}], [0]))[0] == []


def test_features_named_like_our_columns_all_keep_their_values() -> None:
    [row] = exported(lines([{"time": 1, "feature_time": 2, "feature_feature_time": 3}], [0]))[0]
    assert (row["feature_time"], row["feature_feature_time"], row["feature_feature_feature_time"]) == (1, 2, 3)
