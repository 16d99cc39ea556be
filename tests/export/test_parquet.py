"""JSON's own types survive in the data set."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from export.parquet import column, encode, table

TIME = datetime(2026, 11, 21, 12, tzinfo=UTC)


def row(**features: Any) -> dict[str, Any]:
    own = {"time": TIME, "deployment": "blue", "service": "s", "request_id": "r", "row": 0, "prediction": 0.5}
    return {**own, **features}


@pytest.mark.parametrize(
    ("values", "kind", "stored"),
    [
        ([1, 2, None], pyarrow.int64(), [1, 2, None]),
        ([1, 2.5], pyarrow.float64(), [1.0, 2.5]),
        ([True, False], pyarrow.bool_(), [True, False]),
        (["a", None], pyarrow.string(), ["a", None]),
        ([None, None], pyarrow.null(), [None, None]),
        (["a", 1, True, None], pyarrow.string(), ["a", "1", "true", None]),
        ([{"b": 1, "a": 2}, [1]], pyarrow.string(), ['{"a": 2, "b": 1}', "[1]"]),
        ([2**70, 1], pyarrow.string(), [str(2**70), "1"]),
    ],
)
def test_a_column_has_the_narrowest_type_that_holds_its_values_unchanged(
    values: list[Any], kind: pyarrow.DataType, stored: list[Any]
) -> None:
    found = column(values)
    assert (found.type, found.to_pylist()) == (kind, stored)


def test_own_columns_come_first_the_features_by_name_and_the_prediction_last() -> None:
    found = table([row(b=1, a="x"), row(c=True)])
    assert found.column_names == ["time", "deployment", "service", "request_id", "row", "a", "b", "c", "prediction"]
    assert found["a"].to_pylist() == ["x", None]


def test_the_same_rows_are_the_same_file() -> None:
    rows = [row(a=1), row(a=2)]
    assert encode(rows) == encode(list(rows))
    assert pyarrow.parquet.read_table(io.BytesIO(encode(rows)))["a"].to_pylist() == [1, 2]
