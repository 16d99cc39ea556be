"""A change board: an HTTPS door of the user's that is asked for leave, with a certificate of the stack's authority."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from localcloud import certificates


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

    class Handler(BaseHTTPRequestHandler):
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

        def log_message(self, *_: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """An asker that no longer waits closes its connection."""

    certificate, key = certificates.issue(folder, "localhost", "127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    board.url = f"https://localhost:{server.server_port}/leave"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield board
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
