"""NCRONTAB: which moments a schedule names."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from localcloud.functions_host.ncrontab import Schedule


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "now", "following"),
    [
        ("* * * * * *", "2026-11-21 10:00:00", "2026-11-21 10:00:01"),
        ("*/5 * * * * *", "2026-11-21 10:00:05", "2026-11-21 10:00:10"),
        ("*/5 * * * * *", "2026-11-21 10:00:58", "2026-11-21 10:01:00"),
        ("0 */15 * * * *", "2026-11-21 10:59:30", "2026-11-21 11:00:00"),
        ("0 5/20 * * * *", "2026-11-21 10:06:00", "2026-11-21 10:25:00"),
        ("30 0 9-17 * * mon-fri", "2026-11-20 17:00:30", "2026-11-23 09:00:30"),
        ("0 0 0 1 jan *", "2026-11-21 10:00:00", "2027-01-01 00:00:00"),
        ("0 0 0 29 2 *", "2026-11-21 10:00:00", "2028-02-29 00:00:00"),
        ("10,40 * * * * *", "2026-11-21 10:00:10", "2026-11-21 10:00:40"),
        ("0 30 9 * * 0", "2026-11-21 10:00:00", "2026-11-22 09:30:00"),
        ("30 9 * * *", "2026-11-21 10:00:00", "2026-11-22 09:30:00"),
        ("0 0 0 31 * *", "2026-11-21 10:00:00", "2026-12-31 00:00:00"),
    ],
)
def test_the_next_time_is_the_first_that_every_field_allows(schedule: str, now: str, following: str) -> None:
    assert Schedule.parse(schedule).after(at(now)) == at(following)


def test_a_fraction_of_a_second_does_not_fire_the_same_second_again() -> None:
    now = at("2026-11-21 10:00:00").replace(microsecond=1)
    assert Schedule.parse("* * * * * *").after(now) == at("2026-11-21 10:00:01")


def test_a_date_that_never_comes_never_fires() -> None:
    assert Schedule.parse("0 0 0 30 2 *").after(at("2026-11-21 10:00:00")) is None


@pytest.mark.parametrize(
    "schedule",
    ["", "* * * *", "60 * * * * *", "* * 24 * * *", "*/0 * * * * *", "* * * * * * *", "a * * * * *", "5-1 * * * * *",
     "* * * 0 * *", "* * * * 13 *", "1/x * * * * *", "-1 * * * * *", "01:00:00"],
)  # fmt: skip
def test_a_bad_expression_is_refused_and_quoted(schedule: str) -> None:
    with pytest.raises(ValueError, match="NCRONTAB") as caught:
        Schedule.parse(schedule)
    assert f"'{schedule}'" in str(caught.value)


@pytest.mark.parametrize(
    ("schedule", "often"), [("* * * * * *", True), ("*/30 * * * * *", True), ("0 * * * * *", False)]
)
def test_a_schedule_knows_whether_it_fires_more_than_once_a_minute(schedule: str, often: bool) -> None:
    assert Schedule.parse(schedule).fires_more_than_once_a_minute() is often
