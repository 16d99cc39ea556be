"""The newest requests that the cloud process answered, for the people who look at `GET /localcloud`."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime

_KEPT = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """One request and its answer; status 0 when the connection was cut."""

    time: datetime
    method: str
    path: str
    status: int
    seconds: float


class Journal:
    """Keeps the last few, forgets the rest."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=_KEPT)

    def add(self, entry: Entry) -> None:
        """A request has ended."""
        self._entries.append(entry)

    def newest_first(self) -> list[Entry]:
        """All that are kept."""
        return list(reversed(self._entries))
