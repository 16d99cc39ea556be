"""Durations as people write them: one whole number and one unit (`500ms 30s 15m 2h 7d`).

One number with one unit, not ISO 8601 and not `1h30m`: there is one way to write a duration, so two policies that mean
the same look the same. A bare number is refused, because nobody remembers whether it meant seconds or minutes.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

UNITS: Final = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
LONGEST: Final = timedelta(days=366)
"""Longer than any sensible wait; keeps `now + duration` inside what datetime can hold."""
PATTERN: Final = r"^[0-9]{1,9}(ms|s|m|h|d)$"
_WRITTEN = re.compile(PATTERN)


def parse(text: str) -> timedelta:
    """The duration that `text` says; ValueError tells how to write one."""
    written = _WRITTEN.fullmatch(text)
    if written is None:
        raise ValueError(
            f"{text!r} is not a duration: write a whole number and a unit, such as 500ms, 30s, 15m, 2h or 7d"
        )
    unit = written.group(1)
    count = int(text.removesuffix(unit))
    if count > LONGEST / UNITS[unit]:
        raise ValueError(f"{text} is longer than {LONGEST.days}d, the longest duration a policy may have")
    return count * UNITS[unit]


def written(duration: timedelta) -> str:
    """`duration` the way a policy would have it, in the largest unit that says it exactly."""
    if not duration:
        return "0s"
    for unit, length in UNITS.items():
        if not duration % length:
            return f"{duration // length}{unit}"
    raise ValueError(f"{duration!r} is finer than a millisecond, the smallest unit a policy can write")


def lasting(time: timedelta) -> str:
    """A duration as people read it, in its two largest units, such as `4m 10s`."""
    seconds = int(abs(time).total_seconds())
    parts = ((seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "m"), (seconds % 60, "s"))
    first = next((at for at, (count, _) in enumerate(parts) if count), 3)
    told = parts[first : first + 2]
    return " ".join(f"{count}{unit}" for count, unit in told if count) or "0s"


def _read(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise PydanticCustomError("duration", "must be a duration, such as 500ms, 30s, 15m, 2h or 7d")
    if not isinstance(value, str):
        raise PydanticCustomError(
            "duration", "a duration needs a unit: write {value}s, {value}m, {value}h or {value}d", {"value": value}
        )
    try:
        return parse(value)
    except ValueError as wrong:
        raise PydanticCustomError("duration", "{problem}", {"problem": str(wrong)}) from None


def _not_zero(value: object) -> timedelta:
    duration = _read(value)
    if duration <= timedelta():
        raise PydanticCustomError("duration", "must be longer than zero")
    return duration


_AS_TEXT = PlainSerializer(written, return_type=str, when_used="json")
_IN_SCHEMA = WithJsonSchema({"type": "string", "pattern": PATTERN, "examples": ["500ms", "30s", "15m", "2h", "7d"]})

Duration = Annotated[timedelta, BeforeValidator(_read), _AS_TEXT, _IN_SCHEMA]
"""A duration that may be zero."""
Period = Annotated[timedelta, BeforeValidator(_not_zero), _AS_TEXT, _IN_SCHEMA]
"""A duration longer than zero."""
