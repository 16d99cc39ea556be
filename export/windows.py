"""Which windows of time are due for export. Pure: no clock, no I/O.

A window is half-open, [since, until), on ingestion time. Windows of one endpoint follow each other without gap or
overlap, because each starts where the watermark stands, whatever the policy's `every` was before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, order=True)
class Window:
    """[since, until), both on whole seconds."""

    since: datetime
    until: datetime

    @property
    def name(self) -> str:
        """`<start>-<end>` as it stands in blob names."""
        return f"{compact(self.since)}-{compact(self.until)}"

    def halves(self) -> tuple[Window, Window] | None:
        """The window cut in two at a whole second, or None when it is one second long."""
        seconds = (self.until - self.since) // SECOND
        if seconds < 2:
            return None
        middle = self.since + SECOND * (seconds // 2)
        return Window(self.since, middle), Window(middle, self.until)


def due_windows(now: datetime, watermark: datetime, every: timedelta, lag: timedelta) -> Iterator[Window]:
    """The closed windows after `watermark`, oldest first.

    Ends lie on multiples of `every` since 1970; a window is closed when its end is at least `lag` ago, so that rows
    which Azure ingests late are in it.
    """
    step = max(timedelta(seconds=every // SECOND), SECOND)
    since = watermark
    while (until := floor(since, step) + step) <= now - lag:
        yield Window(since, until)
        since = until


def first_watermark(now: datetime, every: timedelta, lag: timedelta) -> datetime:
    """Where an endpoint's export begins: at the start of the window that was closed last."""
    step = max(timedelta(seconds=every // SECOND), SECOND)
    return floor(now - lag, step) - step


def floor(moment: datetime, step: timedelta) -> datetime:
    """The last multiple of `step` since 1970 that is not after `moment`."""
    return EPOCH + step * ((moment - EPOCH) // step)


def compact(moment: datetime) -> str:
    """A time in a blob name: `20261121T040500Z`."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def stamp(moment: datetime) -> str:
    """A time in JSON: RFC 3339 in UTC with `Z` and microseconds where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
