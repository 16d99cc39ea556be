"""Freeze windows: times of the week in which nothing goes forward. Going back is never frozen.

A window is written in the wall clock of a named time zone, because that is how people mean "Friday evening". On the
days of a clock change it is never shorter than written: of two readings of a time it takes the longer window.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from policy.section import FILLED, Section, Text, refuse

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MIDNIGHT: Final = "24:00"
_CLOCK = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_A_DAY: Final = timedelta(days=1)
_A_WEEK: Final = timedelta(days=7)
_ANY_WEEK: Final = datetime(2026, 1, 12, tzinfo=UTC)
"""A week without a clock change anywhere, from which it is told whether windows leave any time free."""


def _clock(value: str) -> str:
    if not _CLOCK.fullmatch(value):
        refuse(f"{value!r} is not a time of day: write hours and minutes, such as 16:00")
    return value


def _end(value: str) -> str:
    return value if value == MIDNIGHT else _clock(value)


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):  # unknown; not a name; the name of a folder
        refuse(_no_zone(value))
    return value


def _no_zone(value: str) -> str:
    from difflib import get_close_matches
    from zoneinfo import available_timezones

    close = get_close_matches(value, sorted(available_timezones()), 1, 0.6)
    meant = f"; did you mean {close[0]!r}?" if close else ""
    return f"{value!r} is not a time zone: use a name such as Europe/Amsterdam or UTC{meant}"


_Begin = Annotated[Text, AfterValidator(_clock), WithJsonSchema({"type": "string", "pattern": f"^{_CLOCK.pattern}$"})]
_End = Annotated[
    Text, AfterValidator(_end), WithJsonSchema({"type": "string", "pattern": f"^({_CLOCK.pattern}|{MIDNIGHT})$"})
]


class FreezeWindow(Section):
    """A time of the week in which no rollout goes forward. Rollbacks are never frozen."""

    days: Annotated[tuple[Day, ...], FILLED] = Field(
        default=DAYS, description="Days on which it begins: `mon tue wed thu fri sat sun`."
    )
    from_: _Begin = Field(alias="from", description='Time of day at which it begins, such as "16:00".')
    to: _End = Field(
        description='Time of day at which it ends, at latest "24:00"; one that is not after `from` is the next day\'s.'
    )
    time_zone: Annotated[Text, AfterValidator(_zone)] = Field(
        description="Zone of these times, by its IANA name such as Europe/Amsterdam."
    )
    reason: Text = Field(description="Why, for those who see it on the dashboard.")

    @model_validator(mode="after")
    def _has_length(self) -> Self:
        if self.from_ == self.to:
            refuse('from and to are the same: a whole day is from "00:00" to "24:00"', at=("to",))
        return self


def _leaves_time(windows: tuple[FreezeWindow, ...]) -> tuple[FreezeWindow, ...]:
    found = frozen_until(windows, _ANY_WEEK)
    if found is not None and found[0] - _ANY_WEEK >= _A_WEEK:
        refuse("leaves no time of the week in which a rollout could go forward; to write nothing use `mode: observe`")
    return windows


Freezes = Annotated[tuple[FreezeWindow, ...], AfterValidator(_leaves_time)]


def frozen_until(windows: Iterable[FreezeWindow], now: datetime) -> tuple[datetime, str] | None:
    """When the freeze of `now` ends (windows that meet count as one) and why it is; None: nothing is frozen now.

    The end is at most a little more than a week away: further than that one need not look to know enough.
    """
    listed = sorted(one for window in windows for one in _around(window, now))
    until, reasons = now, dict[str, None]()
    for begin, end, reason in listed:
        if begin <= until < end:
            until = end
            reasons[reason] = None
    return (until, "; ".join(reasons)) if until > now else None


def _around(window: FreezeWindow, now: datetime) -> Iterator[tuple[datetime, datetime, str]]:
    """The times of the window that may hold `now` or follow it, from yesterday to a week ahead."""
    today = now.astimezone(_zone_of(window.time_zone)).date()
    for ahead in range(-1, 9):
        day = today + ahead * _A_DAY
        if DAYS[day.weekday()] in window.days:
            begin = min(_moments(day, window.from_, window.time_zone))
            last = day if window.to > window.from_ else day + _A_DAY
            yield begin, max(_moments(last, window.to, window.time_zone)), window.reason


def _moments(day: date, clock: str, zone: str) -> tuple[datetime, datetime]:
    """The two readings of a wall-clock time; they differ only where the clock is changed."""
    if clock == MIDNIGHT:
        day, clock = day + _A_DAY, "00:00"
    hours, minutes = clock.split(":")
    local = datetime(day.year, day.month, day.day, int(hours), int(minutes), tzinfo=_zone_of(zone))
    return local.replace(fold=0).astimezone(UTC), local.replace(fold=1).astimezone(UTC)


@lru_cache(maxsize=256)
def _zone_of(name: str) -> ZoneInfo:
    return ZoneInfo(name)
