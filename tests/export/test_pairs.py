"""Inputs and outputs of a request meet exactly once, in whatever windows they were ingested."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.lines import Kind, Record
from export.pairs import MOST_FEATURES, OWN_COLUMNS, PATIENCE, Paired, pair

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


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


def part(kind: Kind, number: int, of: int, rows: int = 2, ingested: datetime = START) -> Record:
    values = tuple({"x": f"{number}/{n}"} if kind == "InputData" else number + n / 10 for n in range(rows))
    time = START + SECOND * number
    return Record(kind, "blue", "r1", "online/m/1", time, ingested, values, number, of)


def test_parts_of_a_long_request_are_put_together_in_their_order_at_the_time_of_the_first() -> None:
    parts = [part(kind, number, 3) for number in (3, 1, 2) for kind in _KINDS]
    rows = pair(parts, START).rows
    assert [(row["row"], row["x"], row["prediction"]) for row in rows] == [
        (0, "1/0", 1.0),
        (1, "1/1", 1.1),
        (2, "2/0", 2.0),
        (3, "2/1", 2.1),
        (4, "3/0", 3.0),
        (5, "3/1", 3.1),
    ]
    assert {row["time"] for row in rows} == {START + SECOND}


def test_inputs_in_parts_may_be_answered_in_one_line() -> None:
    whole = Record("OutputData", "blue", "r1", "", START, START, (0.1, 0.2, 0.3, 0.4))
    rows = pair([part("InputData", 1, 2), whole, part("InputData", 2, 2)], START).rows
    assert [(row["x"], row["prediction"]) for row in rows] == [("1/0", 0.1), ("1/1", 0.2), ("2/0", 0.3), ("2/1", 0.4)]


@pytest.mark.parametrize("missing", range(4))
def test_a_request_with_a_missing_part_waits_whole_and_is_kept_aside_whole(missing: int) -> None:
    parts = [part(kind, number, 2) for number in (1, 2) for kind in _KINDS]
    lost = parts.pop(missing)
    early = pair(parts, START + PATIENCE)
    assert (early.rows, len(early.waiting)) == ([], 3)
    assert len(pair([*early.waiting, lost], START + PATIENCE).rows) == 4
    late = pair(early.waiting, START + PATIENCE + MINUTE)
    assert (late.rows, late.waiting) == ([], [])
    assert [one.reason for one in late.problems] == ["not all parts within 1:00:00"] * 3


def test_parts_that_do_not_fit_each_other_are_kept_aside_with_the_part() -> None:
    halves = [part("InputData", 1, 2), part("OutputData", 1, 2), part("InputData", 2, 2, 3), part("OutputData", 2, 2)]
    paired = pair(halves, START)
    assert paired.rows == []
    assert {one.reason for one in paired.problems} == {"3 input rows but 2 predictions in part 2"}


def test_a_script_that_says_there_are_very_many_parts_only_waits() -> None:
    assert len(pair([part("InputData", 1, 10**15), part("OutputData", 1, 10**15)], START).waiting) == 2


def test_a_feature_named_like_one_of_our_columns_keeps_its_value_under_another_name() -> None:
    inputs = Record("InputData", "blue", "r1", "s", START, START, ({"time": "noon", "row": 7},))
    row = pair([inputs, half("OutputData", "r1")], START).rows[0]
    assert (row["time"], row["feature_time"], row["row"], row["feature_row"]) == (START, "noon", 0, 7)


def test_clients_that_invent_features_cannot_make_a_file_too_wide_and_push_nobody_else_out() -> None:
    def request(number: int, names: list[str]) -> list[Record]:
        inputs = Record("InputData", "blue", f"r{number}", "s", START, START, (dict.fromkeys(names, 1),))
        return [inputs, half("OutputData", f"r{number}")]

    invented = [one for n in range(30) for one in request(n, [f"{n}-{m}" for m in range(100)])]
    true = [one for n in range(30, 40) for one in request(n, ["true"])]
    paired = pair([*invented, *true], START)
    assert len({name for row in paired.rows for name in row}) <= MOST_FEATURES + len(OWN_COLUMNS)
    assert {f"r{n}" for n in range(30, 40)} <= {row["request_id"] for row in paired.rows}
    assert len(paired.rows) + len(paired.problems) / 2 == 40
    assert {one.reason for one in paired.problems} == {"features beyond the 2000 that most requests of the window have"}


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
