"""How far an inbox was read: a time by the storage service's clock, so that a record need not name every item.

Items older than the mark are done; only of the newer ones the record remembers which. The mark stays a margin behind
the newest item, since of two that arrive together either may be listed first, and never passes one that is unread.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from rollout.observation import Observation
from rollout.record import Record

MARGIN = timedelta(minutes=2)
"""Longer than any request to storage lasts, retries included."""


def advanced(before: datetime | None, listed: Mapping[str, datetime], done: Collection[str]) -> datetime | None:
    """The mark after a look that has done with `done`; `listed` are the items that are not older than `before`."""
    if not listed:
        return before
    unread = [at for identity, at in listed.items() if identity not in done]
    mark = min([max(listed.values()) - MARGIN, *unread])
    return mark if before is None else max(before, mark)


def having_read(record: Record, seen: Observation) -> Record:
    """The record with what the look read of the inbox."""
    gone = set(seen.forgotten)
    kept = tuple(one for one in record.handled if one not in gone)
    new = tuple(one for one in seen.handled if one not in kept)
    return replace(record, handled=(*kept, *new), read_until=seen.read_until or record.read_until)
