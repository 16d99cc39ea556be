"""NCRONTAB as the timer trigger reads it: `{second} {minute} {hour} {day} {month} {day of week}`, in UTC.

Five fields are read as cron with second 0. Unlike cron, and like NCrontab, day and day of week must both match.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
#: A schedule such as 30 February never fires; looking further ahead than a leap year cycle finds nothing new.
_HORIZON_DAYS = 366 * 8


@dataclass(frozen=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 6, _DAYS),
)


@dataclass(frozen=True)
class Schedule:
    """When a timer fires."""

    text: str
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """ValueError says which field is wrong."""
        parts = text.split()
        if len(parts) == 5:
            parts = ["0", *parts]
        if len(parts) != 6:
            raise ValueError(f"The schedule '{text}' is no NCRONTAB expression: it must have 6 fields.")
        sets = [_values(part, field, text) for part, field in zip(parts, _FIELDS, strict=True)]
        seconds, minutes, hours = (tuple(sorted(values)) for values in sets[:3])
        days, months, weekdays = (frozenset(values) for values in sets[3:])
        return cls(text, seconds, minutes, hours, days, months, weekdays)

    def after(self, moment: datetime) -> datetime | None:
        """The first time strictly after `moment`; None when it never fires again."""
        start = moment.replace(microsecond=0) + timedelta(seconds=1)
        day = start.replace(hour=0, minute=0, second=0)
        for offset in range(_HORIZON_DAYS):
            date = day + timedelta(days=offset)
            if not self._on(date):
                continue
            if (found := self._first_on(date, start if offset == 0 else date)) is not None:
                return found
        return None

    def fires_more_than_once_a_minute(self) -> bool:
        """The host keeps no status for such timers: they cannot be past due in a way that matters."""
        return len(self.seconds) > 1

    def _on(self, date: datetime) -> bool:
        weekday = (date.weekday() + 1) % 7
        return date.month in self.months and date.day in self.days and weekday in self.weekdays

    def _first_on(self, date: datetime, start: datetime) -> datetime | None:
        for hour in self.hours:
            for minute in self.minutes:
                if (hour, minute) < (start.hour, start.minute):
                    continue
                for second in self.seconds:
                    if (hour, minute, second) >= (start.hour, start.minute, start.second):
                        return date.replace(hour=hour, minute=minute, second=second)
        return None


def _values(part: str, field: _Field, text: str) -> set[int]:
    values: set[int] = set()
    for item in part.split(","):
        span, slash, step_text = item.partition("/")
        step = int(step_text) if slash and step_text.isdigit() else 1
        if slash and (not step_text.isdigit() or step == 0):
            raise _wrong(item, field, text)
        low, high = _span(span, field, text, open_ended=bool(slash))
        values.update(range(low, high + 1, step))
    return values


def _span(span: str, field: _Field, text: str, *, open_ended: bool) -> tuple[int, int]:
    if span == "*":
        return field.low, field.high
    first, dash, last = span.partition("-")
    low = _number(first, field, text)
    high = _number(last, field, text) if dash else field.high if open_ended else low
    if low > high:
        raise _wrong(span, field, text)
    return low, high


def _number(word: str, field: _Field, text: str) -> int:
    if word.lower()[:3] in field.names and word.isalpha():
        return field.names.index(word.lower()[:3]) + field.low
    if not word.isdigit() or not field.low <= int(word) <= field.high:
        raise _wrong(word, field, text)
    return int(word)


def _wrong(word: str, field: _Field, text: str) -> ValueError:
    return ValueError(
        f"The schedule '{text}' is no NCRONTAB expression: '{word}' is no {field.name} ({field.low} to {field.high})."
    )
