"""The on-call person's pager: a second webhook of the alert rules' action group.

It is how the demo knows from outside, and not from the app, when Azure Monitor fired an alert.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Page:
    """One alert as it arrived; `at` is of time.monotonic()."""

    at: float
    rule: str
    condition: str


class Pager:
    """Listens on this machine only, from start() to stop()."""

    def __init__(self) -> None:
        self._pages: list[Page] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True, name="pager")

    @property
    def url(self) -> str:
        """The webhook's address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/page"

    def start(self) -> None:
        """Listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        if self._thread.ident is not None:
            self._server.shutdown()
        self._server.server_close()

    def first(self, rule: str, *, after: float = 0.0) -> Page | None:
        """The first alert of a rule that fired after a moment."""
        pages = (page for page in list(self._pages) if page.rule == rule and page.at >= after)
        return next((page for page in pages if page.condition == "Fired"), None)

    def pages(self) -> list[Page]:
        """Everything that arrived."""
        return list(self._pages)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        pages = self._pages

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                at = time.monotonic()
                alert = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                essentials: dict[str, Any] = alert["data"]["essentials"]
                pages.append(Page(at, essentials["alertRule"], essentials["monitorCondition"]))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                """Say nothing: the terminal belongs to the timeline."""

        return Handler
