"""One host at a time listens for a timer, however many there are: the second waits until the first is gone.

Azure's hosts hold a blob lease for it and notice a dead one within a minute. Here it is a lock on a file in the stack's
folder, which the system lets go the moment its process ends.
"""

from __future__ import annotations

import asyncio
import fcntl
from pathlib import Path
from typing import IO

_PAUSE_SECONDS = 0.2


class ListenerLock:
    """Held from when it was acquired until this process ends, so that the last run is never overtaken either."""

    def __init__(self, folder: Path, function: str) -> None:
        self._path = folder / "listeners" / function
        self._file: IO[str] | None = None

    async def acquire(self) -> None:
        """Return when this host is the one."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("w")
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                await asyncio.sleep(_PAUSE_SECONDS)
