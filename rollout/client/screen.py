"""Lines that stay and one that changes below them; where nobody looks (a log file), only what changed is written."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import TextIO

from rollout.client.text import shortened

CLEARED = "\r\x1b[K"


class Screen:
    """What is written to while a rollout is watched."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._live = out, out.isatty()
        self._said = ""

    def lines(self, lines: Sequence[str]) -> None:
        """Lines that stay."""
        for line in lines:
            print(f"{CLEARED if self._live else ''}{line}", file=self._out, flush=True)

    def status(self, text: str, *, changed: str) -> None:
        """The line that says how things stand; a log gets it only when `changed` is not what it was."""
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            print(f"{CLEARED}{shortened(text, width)}", end="", file=self._out, flush=True)
        elif changed != self._said:
            print(text, file=self._out, flush=True)
        self._said = changed
