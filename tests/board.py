"""A change board: an HTTPS door of the user's that is asked for leave, with a certificate of the stack's authority."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.web_server import Handler, certified, serving


@dataclass
class Board:
    """What it was asked, and how it answers."""

    url: str = ""
    status: int = 200
    answer: bytes = b"CHG-1"
    location: str = ""
    silent: threading.Event = field(default_factory=threading.Event)
    """While set, it takes the question and answers nothing."""
    drips: bool = False
    """Answers a byte at a time, for ever."""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    """The connections that the asker closed on it while it dripped."""


@contextmanager
def sitting(folder: Path) -> Iterator[Board]:
    """A board that sits; `folder` has the authority of its certificate."""
    board, over = Board(), threading.Event()

    class Asked(Handler):
        def do_POST(self) -> None:
            board.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            board.tokens.append(self.headers["Authorization"])
            while board.silent.is_set() and not over.wait(0.02):
                pass
            self.send_response(board.status)
            if board.location:
                self.send_header("Location", board.location)
            self.end_headers()
            if board.drips:
                self._drip()
            else:
                self.wfile.write(board.answer)

        def _drip(self) -> None:
            try:
                while not over.is_set():
                    self.wfile.write(b".")
                    time.sleep(0.02)  # the length of a drop, waited for by nobody
            except OSError as error:
                board.ended.append(type(error).__name__)

    with serving(Asked, certified(folder)) as address:
        board.url = f"{address}/leave"
        try:
            yield board
        finally:
            over.set()
