"""ISO 8601 durations and intervals, as the monitoring APIs send and expect them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_DURATION = re.compile(
    r"^P(?:(?P<weeks>\d+(?:\.\d+)?)W)?(?:(?P<days>\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(?P<hours>\d+(?:\.\d+)?)H)?(?:(?P<minutes>\d+(?:\.\d+)?)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?$"
)


def duration(text: str) -> timedelta:
    """`PT5M`, `PT3600.0S`, `P1DT2H` as a timedelta; ValueError for anything else."""
    match = _DURATION.match(text.strip().upper())
    parts = {name: float(number) for name, number in match.groupdict().items() if number} if match else {}
    if not parts:
        raise ValueError(f"{text!r} is not an ISO 8601 duration such as PT5M")
    return timedelta(**parts)


def moment(text: str) -> datetime:
    """An ISO 8601 time; without an offset it is taken as UTC."""
    value = datetime.fromisoformat(text.strip())
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def interval(text: str, now: datetime) -> tuple[datetime, datetime]:
    """The closed interval of `start/end`, `start/duration`, `duration/end` or `duration` (up to now)."""
    first, _, second = text.partition("/")
    if not second:
        return now - duration(first), now
    if first.upper().startswith("P"):
        end = moment(second)
        return end - duration(first), end
    start = moment(first)
    return start, start + duration(second) if second.upper().startswith("P") else moment(second)


def stamp(value: datetime) -> str:
    """A time as Azure writes it: UTC, seven digits, `Z`."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"
