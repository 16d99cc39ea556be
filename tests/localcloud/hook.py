"""A real webhook on a port of its own: notes what Event Grid posts, and answers as the test scripts it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from tests.web_server import Handler, serving


class Hook:
    """Agrees to every handshake; answers deliveries with the scripted statuses, then with 200."""

    def __init__(self) -> None:
        self.url = ""
        self.deliveries: list[list[dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []
        self.statuses: list[int] = []
        self.arrivals: list[datetime] = []

    @property
    def ids(self) -> list[str]:
        """The ids of the events in the order of their arrival, repeated ones too."""
        return [event["id"] for delivery in self.deliveries for event in delivery]


@contextmanager
def running_hook() -> Iterator[Hook]:
    """One webhook, up for the time of the block."""

    class Posted(Handler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.headers["aeg-event-type"] == "SubscriptionValidation":
                return self._answer(200, {"validationResponse": body[0]["data"]["validationCode"]})
            hook.deliveries.append(body if isinstance(body, list) else [body])  # one CloudEvent goes without an array
            hook.arrivals.append(datetime.now(UTC))
            hook.headers.append({name.lower(): value for name, value in self.headers.items()})
            return self._answer(hook.statuses.pop(0) if hook.statuses else 200, {})

        def do_OPTIONS(self) -> None:
            """The handshake of CloudEvents."""
            self._answer(200, {}, {"WebHook-Allowed-Origin": "*"})

        def _answer(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    hook = Hook()
    with serving(Posted) as address:
        hook.url = f"{address}/hook"
        yield hook
