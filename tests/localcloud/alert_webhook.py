"""A real receiver of alerts on a port of its own: notes what action groups post, answers as the test scripts it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.web_server import Handler, serving


@dataclass
class Webhook:
    """Answers with the statuses it was given, then with 202."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def changes(self, condition: str) -> list[dict[str, Any]]:
        """The bodies that say Fired, or Resolved."""
        return [body for body in self.bodies if body["data"]["essentials"]["monitorCondition"] == condition]


@contextmanager
def running_webhook() -> Iterator[Webhook]:
    """One webhook, up for the time of the block."""
    found = Webhook()

    class Posted(Handler):
        def do_POST(self) -> None:
            found.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(found.statuses.pop(0) if found.statuses else 202)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with serving(Posted) as address:
        found.url = f"{address}/api/alerts?code=key"
        yield found
