"""Inputs and outputs of a request meet exactly once, in whatever windows they were ingested."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from export.lines import Kind, Record
from export.pairs import PATIENCE, Paired, pair

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def half(kind: Kind, request: str, ingested: datetime = START, rows: int = 1, deployment: str = "blue") -> Record:
    values = tuple({"x": f"{request}/{n}"} if kind == "InputData" else n / 10 for n in range(rows))
    return Record(kind, deployment, request, "online/m/1", START, ingested, values)


def test_each_data_row_becomes_one_row_with_its_prediction() -> None:
    paired = pair([half("InputData", "r1", rows=2), half("OutputData", "r1", rows=2)], START)
    assert paired.rows == [
        {
            "x": f"r1/{n}",
            "time": START,
            "deployment": "blue",
            "service": "online/m/1",
            "request_id": "r1",
            "row": n,
            "prediction": n / 10,
        }
        for n in range(2)
    ]
    assert (paired.waiting, paired.problems) == ([], [])


def test_a_mirrored_copy_with_the_same_request_id_is_a_request_of_its_own() -> None:
    records = [half(kind, "r1", deployment=name) for kind in _KINDS for name in ("blue", "green")]
    assert [row["deployment"] for row in pair(records, START).rows] == ["blue", "green"]


def test_a_line_that_the_log_holds_twice_counts_once() -> None:
    paired = pair([half("InputData", "r1"), half("OutputData", "r1"), half("OutputData", "r1")], START)
    assert (len(paired.rows), paired.repeated) == (1, 1)


def test_a_request_with_more_rows_than_predictions_is_kept_aside_whole() -> None:
    paired = pair([half("InputData", "r1", rows=3), half("OutputData", "r1", rows=2)], START)
    assert paired.rows == []
    assert [one.line["type"] for one in paired.problems] == ["InputData", "OutputData"]
    assert "3 input rows but 2 predictions" in paired.problems[0].reason


def test_a_half_waits_for_its_partner_and_is_kept_aside_when_it_never_comes() -> None:
    lonely = half("InputData", "r1")
    assert pair([lonely], START + PATIENCE).waiting == [lonely]
    late = pair([lonely], START + PATIENCE + MINUTE)
    assert late.waiting == []
    assert [one.reason for one in late.problems] == ["no output within 1:00:00"]


def test_a_feature_named_like_one_of_our_columns_keeps_its_value_under_another_name() -> None:
    inputs = Record("InputData", "blue", "r1", "s", START, START, ({"time": "noon", "row": 7},))
    row = pair([inputs, half("OutputData", "r1")], START).rows[0]
    assert (row["time"], row["feature_time"], row["row"], row["feature_row"]) == (START, "noon", 0, 7)


_KINDS: tuple[Kind, Kind] = ("InputData", "OutputData")


@settings(max_examples=60)
@given(
    delays=st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90)), max_size=25),
    every=st.integers(1, 30),
    seed=st.integers(),
)
def test_over_any_windows_every_request_is_a_row_once_or_kept_aside_once(
    delays: list[tuple[int, int]], every: int, seed: int
) -> None:
    """Each request's two halves are ingested minutes apart, in any order, with repeats."""
    chance = random.Random(seed)
    records = [
        half(kind, f"r{n}", START + MINUTE * delay)
        for n, both in enumerate(delays)
        for kind, delay in zip(_KINDS, both, strict=True)
    ]
    rows: list[str] = []
    aside: list[tuple[str, str]] = []
    left = Paired()
    for start in range(0, 240, every):
        since, until = START + MINUTE * start, START + MINUTE * (start + every)
        window = [one for one in records if since <= one.ingested < until]
        chance.shuffle(window)
        left = pair([*left.waiting, *window], until)
        rows += [row["request_id"] for row in left.rows]
        aside += [(one.line["request_id"], one.line["type"]) for one in left.problems]
    together = [f"r{n}" for n, (a, b) in enumerate(delays) if abs(a - b) <= 30]
    assert left.waiting == []
    assert len(rows) == len(set(rows))
    assert set(together) <= set(rows)
    assert sorted(aside) == sorted(
        (f"r{n}", kind) for n in range(len(delays)) if f"r{n}" not in rows for kind in _KINDS
    )
