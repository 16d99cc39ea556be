"""Values reach a query as literals of their own type and can never change what it does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.kql import Value, literal, render


def evaluated(value: Value) -> Any:
    """What the local Kusto makes of the literal."""
    import duckdb
    import duckdb_kql

    translated = duckdb_kql.to_sql(f"let v = {literal(value)};\nprint x = v")
    sql = translated if isinstance(translated, str) else translated.sql
    with duckdb.connect() as connection:
        row = connection.execute(sql).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    "value",
    ["", 'a"b', "a\\b", "two\nlines", "it's", '"; T | take 1 //', "emoji 😀", 7, -7, 1.5, -1e-7, True, False],
)
def test_a_literal_is_read_back_as_the_value_it_came_from(value: Value) -> None:
    assert evaluated(value) == value


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=30))
def test_no_text_can_end_its_own_literal(text: str) -> None:
    assert evaluated(text) == text


def test_control_characters_are_written_as_kusto_escapes() -> None:
    assert literal("a\x07\u2028b") == '"a\\u0007\\u2028b"'


def test_times_become_utc_and_spans_keep_their_microseconds() -> None:
    assert literal(datetime(2026, 11, 21, 4, 5, 6, 7, UTC)) == "datetime(2026-11-21T04:05:06.000007Z)"
    assert evaluated(timedelta(days=1, seconds=3, microseconds=5)) == timedelta(days=1, seconds=3, microseconds=5)
    assert literal(timedelta(hours=-2)) == "timespan(-0.02:00:00.000000)"


@pytest.mark.parametrize("value", [datetime(2026, 1, 1), 2**63, [1]])  # noqa: DTZ001
def test_what_has_no_literal_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"time zone|long|text only"):
        literal(value)


def test_a_query_is_its_file_behind_one_let_line_for_each_value(tmp_path: Path) -> None:
    file = tmp_path / "some.kql"
    file.write_text("T\n| where endpoint in (names)\n", encoding="utf-8")
    assert render(file, names=["a", "b"]) == 'let names = dynamic(["a", "b"]);\nT\n| where endpoint in (names)\n'


def test_a_name_that_is_no_identifier_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "some.kql"
    file.write_text("T", encoding="utf-8")
    with pytest.raises(ValueError, match="identifier"):
        render(file, **{"a b": "x"})
