"""When a freeze window holds, in the wall clock of its zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.freezes import DAYS, FreezeWindow, frozen_until

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def window(days: str, begin: str, end: str, zone: str = "Europe/Amsterdam", reason: str = "because") -> FreezeWindow:
    """A window; `days` are separated by spaces."""
    return FreezeWindow.model_validate(
        {"days": days.split(), "from": begin, "to": end, "time_zone": zone, "reason": reason}
    )


def local(text: str, fold: int = 0) -> datetime:
    """A wall-clock time in Amsterdam, as a moment: in its own zone a time that comes twice equals nothing."""
    return datetime.fromisoformat(text).replace(tzinfo=AMSTERDAM, fold=fold).astimezone(UTC)


def until(windows: list[FreezeWindow], now: datetime) -> datetime | None:
    """When the freeze of `now` ends."""
    found = frozen_until(windows, now)
    return found and found[0]


FRIDAY_EVENING = window("fri", "16:00", "24:00")
NIGHTS = window("mon tue wed thu", "22:00", "06:00")


@pytest.mark.parametrize(
    ("frozen", "now", "end"),
    [
        (FRIDAY_EVENING, "2026-05-08T15:59", None),
        (FRIDAY_EVENING, "2026-05-08T16:00", "2026-05-09T00:00"),
        (FRIDAY_EVENING, "2026-05-08T23:59", "2026-05-09T00:00"),
        (FRIDAY_EVENING, "2026-05-09T00:00", None),
        (FRIDAY_EVENING, "2026-05-07T17:00", None),
        (NIGHTS, "2026-05-04T22:30", "2026-05-05T06:00"),
        (NIGHTS, "2026-05-05T05:59", "2026-05-05T06:00"),
        (NIGHTS, "2026-05-04T05:00", None),  # a Monday morning belongs to Sunday's night
        (NIGHTS, "2026-05-08T05:00", "2026-05-08T06:00"),  # a Friday morning to Thursday's
    ],
)
def test_a_window_holds_from_its_begin_until_just_before_its_end(
    frozen: FreezeWindow, now: str, end: str | None
) -> None:
    assert until([frozen], local(now)) == (end and local(end))


def test_windows_that_meet_are_one_freeze_with_both_reasons() -> None:
    weekend = window("sat sun", "00:00", "24:00", reason="weekend")
    found = frozen_until([weekend, FRIDAY_EVENING], local("2026-05-08T20:00"))
    assert found == (local("2026-05-11T00:00"), "because; weekend")


def test_a_time_that_the_spring_leaves_out_still_begins_its_window() -> None:
    gap = window("sun", "02:30", "05:00")
    assert until([gap], local("2026-03-29T03:05")) == local("2026-03-29T05:00")


def test_a_time_that_the_autumn_has_twice_ends_its_window_the_second_time() -> None:
    twice = window("sun", "01:00", "02:30")
    assert until([twice], local("2026-10-25T02:15", fold=1)) == local("2026-10-25T02:30", fold=1)
    assert until([twice], local("2026-10-25T02:45", fold=0)) == local("2026-10-25T02:30", fold=1)
    assert until([twice], local("2026-10-25T02:45", fold=1)) is None


HOURS = [f"{hour:02}:{minute}" for hour in range(24) for minute in ("00", "30")]


@given(
    days=st.sets(st.sampled_from(DAYS), min_size=1),
    begin=st.sampled_from(HOURS),
    end=st.sampled_from([*HOURS, "24:00"]),
    zone=st.sampled_from(["UTC", "Europe/Amsterdam", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu"]),
    minutes=st.integers(0, 3 * 366 * 24 * 60),
)
def test_whatever_the_window_its_end_is_ahead_and_not_far(
    days: set[str], begin: str, end: str, zone: str, minutes: int
) -> None:
    if begin == end:
        return
    one = window(" ".join(days), begin, end, zone)
    now = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    wall = now.astimezone(ZoneInfo(zone)).strftime("%H:%M")
    last = until([one], now)
    if last is None:
        in_it = begin <= wall < end if begin < end else wall >= begin
        assert not (in_it and DAYS[now.astimezone(ZoneInfo(zone)).weekday()] in days)
    else:
        assert now < last <= now + timedelta(days=9, hours=3)  # every day of the week: then it looks no further
        assert (
            last.astimezone(ZoneInfo(zone)).strftime("%H:%M") == (end if end != "24:00" else "00:00") or len(days) > 1
        )
