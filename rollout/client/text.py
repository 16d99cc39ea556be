"""What a terminal is given: aligned columns, times, and no control characters of anybody's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from policy.durations import lasting
from rollout.codec import moment


def printable(text: str) -> str:
    """The text with whatever a terminal would obey written out: reasons hold what people and alerts sent."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def columns(rows: Sequence[Sequence[str]], *, indent: str = "") -> list[str]:
    """The rows as lines, each column as wide as its widest cell; the last one as long as it is."""
    safe = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[at]) for row in safe) for at in range(len(safe[0]) - 1)]
    padded = [[*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]] for row in safe]
    return [f"{indent}{'  '.join(row)}".rstrip() for row in padded]


def shortened(text: str, longest: int) -> str:
    """The text, cut where it is longer."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def when(text: str | None, now: datetime) -> str:
    """A time of the API, and how far it is from now; what is due already is `due`."""
    if not text:
        return "-"
    ahead = moment(text) - now
    told = f"in {lasting(ahead)}" if ahead > timedelta() else "due" if ahead > -timedelta(minutes=1) else ago(text, now)
    return f"{moment(text):%Y-%m-%d %H:%M:%SZ} ({told})"


def ago(text: str, now: datetime) -> str:
    """How long ago a time of the API was."""
    return f"{lasting(max(now - moment(text), timedelta()))} ago"
