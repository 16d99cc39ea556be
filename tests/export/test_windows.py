"""Exported windows: every second of ingestion time belongs to exactly one, and only closed ones are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from export.windows import Window, due_windows, first_watermark

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
seconds = st.integers(1, 7200).map(lambda n: timedelta(seconds=n))
moments = st.integers(0, 200_000).map(lambda n: NOON + timedelta(seconds=n / 7))


@given(start=st.integers(0, 100_000), now=moments, every=seconds, lag=seconds)
def test_windows_follow_each_other_without_gap_or_overlap(
    start: int, now: datetime, every: timedelta, lag: timedelta
) -> None:
    watermark = NOON + timedelta(seconds=start)
    windows = list(due_windows(now, watermark, every, lag))
    assert [one.since for one in windows[:1]] == [watermark][: len(windows)]
    assert all(one.until == two.since for one, two in pairwise(windows))
    assert all(one.since < one.until <= now - lag for one in windows)
    assert all((one.until - datetime(1970, 1, 1, tzinfo=UTC)) % every == timedelta(0) for one in windows)


@given(now=moments, every=seconds, lag=seconds, later=seconds)
def test_looking_often_or_seldom_gives_the_same_windows(
    now: datetime, every: timedelta, lag: timedelta, later: timedelta
) -> None:
    watermark = first_watermark(now, every, lag)
    at_once = list(due_windows(now + later, watermark, every, lag))
    first = list(due_windows(now, watermark, every, lag))
    then = list(due_windows(now + later, first[-1].until, every, lag))
    assert first + then == at_once


@given(now=moments, every=seconds, lag=seconds)
def test_the_export_begins_with_the_window_that_was_closed_last(
    now: datetime, every: timedelta, lag: timedelta
) -> None:
    assert len(list(due_windows(now, first_watermark(now, every, lag), every, lag))) == 1


def test_after_a_policy_changes_its_period_the_next_window_ends_on_the_new_grid() -> None:
    watermark = NOON + timedelta(minutes=15)
    windows = list(due_windows(NOON + timedelta(hours=3), watermark, timedelta(hours=1), timedelta(minutes=10)))
    assert windows[0] == Window(watermark, NOON + timedelta(hours=1))


@given(length=st.integers(1, 5000))
def test_a_window_halves_down_to_whole_seconds_and_nothing_between_them_is_lost(length: int) -> None:
    def leaves(window: Window) -> list[Window]:
        halves = window.halves()
        return [window] if halves is None else [leaf for half in halves for leaf in leaves(half)]

    cut = leaves(Window(NOON, NOON + timedelta(seconds=length)))
    assert len(cut) == length
    assert all(one.until == two.since for one, two in pairwise(cut))


def test_a_window_is_named_by_its_start_and_end() -> None:
    assert Window(NOON, NOON + timedelta(minutes=5)).name == "20261121T120000Z-20261121T120500Z"
