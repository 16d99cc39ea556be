"""Clients of an endpoint: they ask all the time, count what failed, and remember which version answered.

What is counted is what a client saw: the version is in the model's own answer, so that no header and no claim of the
app is taken for it. Nothing is retried, since a retry would hide the failure that a test looks for.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.loop.waiting import wait_until

PAUSE_SECONDS = 0.035
TIMEOUT_SECONDS = 20.0


class Clients:
    """One steady caller of one scoring address, from start() to stop()."""

    def __init__(self, scoring_uri: str, key: str, ca_file: str) -> None:
        self._address, self._key = urlsplit(scoring_uri), key
        self._tls = ssl.create_default_context(cafile=ca_file)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask_again_and_again, name="client", daemon=True)
        self.answers: Counter[str] = Counter()
        """Answers by the model version that gave them."""
        self.failures: Counter[str] = Counter()
        """What went wrong, by kind."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, when the request under way has its answer."""
        self._ended.set()
        self._thread.join(TIMEOUT_SECONDS + 5)

    def wait_for_answers(self, count: int, *, by: str, seconds: float = 30.0) -> None:
        """Return when version `by` gave this many more answers."""
        goal = self.answers[by] + count
        wait_until(
            lambda: self.answers[by] >= goal,
            seconds=seconds,
            told=lambda: f"answers by {dict(self.answers)}, failures {dict(self.failures)}, wanted {goal} by {by}",
        )

    def _ask_again_and_again(self) -> None:
        connection, number = self._connect(), 0
        while not self._ended.wait(PAUSE_SECONDS):
            number += 1
            try:
                self._ask(connection, number)
            except (OSError, http.client.HTTPException) as error:
                self.failures[f"no answer: {error!r}"] += 1
                connection.close()
                connection = self._connect()
        connection.close()

    def _connect(self) -> http.client.HTTPSConnection:
        host, port = self._address.hostname or "", self._address.port
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=self._tls)

    def _ask(self, connection: http.client.HTTPSConnection, number: int) -> None:
        body = json.dumps({"data": [{"x": number % 97}]})
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        connection.request("POST", self._address.path, body, headers)
        response = connection.getresponse()
        text = response.read()
        if response.status != 200:
            self.failures[f"status {response.status}: {text[:80]!r}"] += 1
        else:
            self.answers[json.loads(text)["version"]] += 1


@contextmanager
def asking(clients: Clients) -> Iterator[Clients]:
    """The clients, at work as long as the block lasts, and from their first answer on."""
    clients.start()
    try:
        wait_until(
            lambda: bool(clients.answers or clients.failures), seconds=20, told=lambda: "no client got any answer"
        )
        yield clients
    finally:
        clients.stop()
