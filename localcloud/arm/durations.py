"""ISO 8601 durations as Azure ML writes them (PT5S, PT1M30S, PT0.5S)."""

from __future__ import annotations

import re

from localcloud.arm.envelope import invalid

_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")


def seconds_of(text: str, field: str) -> float:
    """Seconds of one duration; 400 when it is none."""
    match = _DURATION.fullmatch(text)
    if not match or text in ("P", "PT"):
        raise invalid(f"{text!r} is not an ISO 8601 duration.", field=field)
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
