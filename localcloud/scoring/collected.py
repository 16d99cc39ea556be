"""Brings what a container's data collector has written to storage, every now and then and at its end.

Azure appends to blobs. Here a file that has grown replaces its blob, which a reader cannot tell from appending and
which costs more the longer an hour gets: collecting everything under load is not what this stand-in is for.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Upload = Callable[[str, str, bytes], None]
"""(container, blob name, content); blocking."""
_SECONDS = 0.5


class Collected:
    """The files of one container, below `folder`: COLLECTION/DATE/INSTANCE.jsonl."""

    def __init__(self, folder: Path, places: Mapping[str, Mapping[str, Any]], upload: Upload) -> None:
        """`places`: per collection its `container` and `path`."""
        self._folder, self._places, self._upload = folder, places, upload
        self._sizes: dict[Path, int] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look for what is new."""
        self._task = asyncio.create_task(self._keep_looking())

    async def finish(self) -> None:
        """Upload the rest and forget the files; the container must have ended."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
            await asyncio.to_thread(self._look)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS)
            await asyncio.to_thread(self._look)

    def _look(self) -> None:
        for file in self._folder.rglob("*.jsonl"):
            if (size := file.stat().st_size) == self._sizes.get(file):
                continue
            collection, *rest = file.relative_to(self._folder).parts
            place = self._places[collection]
            self._upload(place["container"], "/".join([place["path"], *rest]), file.read_bytes())
            self._sizes[file] = size
