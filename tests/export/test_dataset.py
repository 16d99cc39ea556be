"""The reader finds every row of its time, whatever types and windows the files have, and looks no further than that."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations, count
from typing import Any

import pytest

from cloud.blobs import Blobs, Listed
from cloud.errors import Permanent
from cloud.identity import credential
from export.dataset import read
from export.pairs import MOST_FEATURES, OWN_COLUMNS
from export.parquet import encode
from export.store import Place, file_name
from export.windows import Window
from tests.analysis_cloud import AnalysisCloud

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_NUMBERS = count(1)


@pytest.fixture
def place() -> Place:
    return Place(f"dataset-{next(_NUMBERS)}", "local", "endpoint")


def stored(
    analysis: AnalysisCloud,
    place: Place,
    since: datetime,
    *rows: dict[str, Any],
    length: timedelta = HOUR,
    deployment: str = "blue",
    time: datetime | None = None,
) -> None:
    """One window's file, with a request for each row."""
    own = {"time": time or since, "deployment": deployment, "service": "s", "row": 0, "prediction": 0.5}
    whole = [{**own, "request_id": f"{since:%d-%H}-{n}", **row} for n, row in enumerate(rows)]
    analysis.blobs.write(
        "inference", file_name(place, deployment, Window(since, since + length), "parquet"), encode(whole)
    )


def found(blobs: Blobs, place: Place, since: datetime, until: datetime) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read(blobs, place.policy, place.target, place.endpoint, since, until).to_pylist()
    return rows


def test_whole_numbers_beyond_the_exact_floats_meet_other_numbers(analysis: AnalysisCloud, place: Place) -> None:
    stored(analysis, place, NOON, {"a": 2**53 + 1})
    stored(analysis, place, NOON + HOUR, {"a": 0.5})
    assert [row["a"] for row in found(analysis.blobs, place, NOON, NOON + DAY)] == [float(2**53), 0.5]


def test_a_feature_may_have_any_two_types_in_two_files(analysis: AnalysisCloud, place: Place) -> None:
    kinds: dict[str, Any] = {
        "no": None, "yes": True, "whole": 2**62 + 1, "real": 1e300, "endless": float("inf"), "text": "a", "list": [1],
    }  # fmt: skip
    pairs = list(combinations(kinds, 2))
    stored(analysis, place, NOON, {f"{a}-{b}": kinds[a] for a, b in pairs})
    stored(analysis, place, NOON + HOUR, {f"{a}-{b}": kinds[b] for a, b in pairs})
    rows = found(analysis.blobs, place, NOON, NOON + DAY)
    assert len(rows) == 2
    assert [row["whole-text"] for row in rows] == [str(2**62 + 1), "a"]
    assert [row["no-whole"] for row in rows] == [None, 2**62 + 1]


def test_of_very_many_features_those_of_most_files_are_read(analysis: AnalysisCloud, place: Place) -> None:
    for hour in range(3):
        stored(analysis, place, NOON + HOUR * hour, {"true": 1, **{f"{hour}-{n}": 1 for n in range(1000)}})
    rows = found(analysis.blobs, place, NOON, NOON + DAY)
    assert [row["true"] for row in rows] == [1, 1, 1]
    assert len(rows[0]) == MOST_FEATURES + len(OWN_COLUMNS)


class WatchedBlobs(Blobs):
    """The real blobs, with a note of what was listed."""

    def __init__(self, analysis: AnalysisCloud) -> None:
        super().__init__(analysis.env["UNDERSTUDY_BLOB_URL"], credential())
        self.listed: list[str] = []

    def list(self, container: str, prefix: str = "") -> Iterator[Listed]:
        self.listed.append(prefix)
        return super().list(container, prefix)


def test_only_the_days_that_can_hold_the_rows_are_listed(analysis: AnalysisCloud, place: Place) -> None:
    for day in range(-9, 9):
        stored(analysis, place, NOON + DAY * day, {"a": day})
    stored(analysis, place, NOON, {"a": 100}, deployment="green")
    blobs = WatchedBlobs(analysis)
    assert [row["a"] for row in found(blobs, place, NOON, NOON + HOUR)] == [0, 100]
    days = [prefix.removeprefix(f"{place.path}/") for prefix in blobs.listed]
    assert days == [
        "blue/date=2026-11-20/",
        "blue/date=2026-11-21/",
        "blue/date=2026-11-22/",
        "blue/date=2026-11-23/",
        "green/date=2026-11-21/",
    ]


def test_a_row_that_was_ingested_late_is_found_in_the_window_of_its_ingestion(
    analysis: AnalysisCloud, place: Place
) -> None:
    stored(analysis, place, NOON + 2 * DAY, {"a": 1}, time=NOON)
    assert [row["a"] for row in found(analysis.blobs, place, NOON, NOON + HOUR)] == [1]


def test_a_window_of_many_days_is_found_from_any_of_them(analysis: AnalysisCloud, place: Place) -> None:
    stored(analysis, place, NOON - 5 * DAY, {"a": 0}, length=DAY, time=NOON - 5 * DAY)
    stored(analysis, place, NOON - 4 * DAY, {"a": 1}, length=7 * DAY, time=NOON)
    assert [row["a"] for row in found(analysis.blobs, place, NOON, NOON + HOUR)] == [1]


def test_a_file_that_is_no_parquet_is_named(analysis: AnalysisCloud, place: Place) -> None:
    name = file_name(place, "blue", Window(NOON, NOON + HOUR), "parquet")
    analysis.blobs.write("inference", name, b"PAR1 or not")
    with pytest.raises(Permanent, match=f"inference/{name} cannot be read as Parquet"):
        found(analysis.blobs, place, NOON, NOON + HOUR)


def test_nothing_exported_is_an_empty_table(analysis: AnalysisCloud, place: Place) -> None:
    assert found(analysis.blobs, place, NOON, NOON + HOUR) == []
