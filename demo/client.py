"""The clients of the endpoint: requests at a steady pace all the time, every answer kept and every failure counted.

The pace does not follow the answers (an open loop), so that a slow version cannot slow the load that shows it to be
slow. Nothing is retried: what a plain client would have seen is what is counted.
"""

from __future__ import annotations

import http.client
import itertools
import json
import random
import ssl
import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

RATE = 45.0
"""Requests a second."""
WORKERS = 48
"""More than RATE x the slowest answer that the demo expects, so that the pace is kept."""
TIMEOUT_SECONDS = 10.0
SEVERAL_ROWS = 0.15
"""Share of requests with two to five rows."""


@dataclass(frozen=True)
class Answer:
    """One request as its client saw it; times are of time.monotonic()."""

    sent: float
    ended: float
    deployment: str | None
    """Who served it, from the header `azureml-model-deployment`."""
    failure: str | None = None


@dataclass(frozen=True)
class Counts:
    """The totals so far."""

    sent: int
    failed: int
    slow_ms: float
    """95th percentile of the last two seconds' answers."""


class LiveTraffic:
    """Clients of one scoring address, from start() to stop()."""

    def __init__(
        self, url: str, key: str, rows: Sequence[dict[str, Any]], *, tls: ssl.SSLContext | None, rate: float = RATE
    ) -> None:
        """`tls` None: the address is plain http."""
        self._address, self._key, self._tls = urlsplit(url), key, tls
        self._rows: Sequence[dict[str, Any]] = rows
        self._rate = rate
        self._slots = itertools.count()
        self._answers: list[Answer] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True, name="client") for _ in range(WORKERS)]
        self._began = 0.0

    def start(self) -> None:
        """Begin, and go on until stop()."""
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send no more, and wait for the answers under way."""
        self._ended.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(TIMEOUT_SECONDS + 1)

    def send_from_now_on(self, rows: Sequence[dict[str, Any]]) -> None:
        """Change what kind of rows the clients send."""
        self._rows = rows

    def answers(self) -> list[Answer]:
        """Every answer so far, in the order they ended."""
        with self._lock:
            return list(self._answers)

    def counts(self) -> Counts:
        """The totals so far."""
        answers = self.answers()
        since = time.monotonic() - 2.0
        recent = sorted(a.ended - a.sent for a in itertools.takewhile(lambda a: a.ended > since, reversed(answers)))
        slow = recent[int(0.95 * (len(recent) - 1))] if recent else 0.0
        return Counts(len(answers), sum(1 for answer in answers if answer.failure), slow * 1000)

    def failures(self) -> Counter[str]:
        """What went wrong, by kind."""
        return Counter(answer.failure for answer in self.answers() if answer.failure)

    def _work(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while self._wait_for_slot():
            connection = connection or self._connect()
            answer, usable = self._ask(connection)
            with self._lock:
                self._answers.append(answer)
            if not usable:
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _wait_for_slot(self) -> bool:
        due = self._began + next(self._slots) / self._rate
        return not self._ended.wait(max(0.0, due - time.monotonic()))

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._address.hostname or "localhost", self._address.port
        if self._tls is None:
            return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=self._tls)

    def _ask(self, connection: http.client.HTTPConnection) -> tuple[Answer, bool]:
        """One request; the second value tells whether the connection can be used again."""
        asked = self._some_rows()
        headers = {
            "Authorization": f"Bearer {self._key}",
            "Content-Type": "application/json",
            "x-ms-client-request-id": uuid.uuid4().hex,
        }
        sent = time.monotonic()
        try:
            connection.request("POST", self._address.path, json.dumps({"data": asked}), headers)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            return Answer(sent, time.monotonic(), None, f"no answer: {type(error).__name__}"), False
        ended, deployment = time.monotonic(), response.getheader("azureml-model-deployment")
        return Answer(sent, ended, deployment, _failure(response.status, deployment, body, len(asked))), True

    def _some_rows(self) -> list[dict[str, Any]]:
        count = random.randint(2, 5) if random.random() < SEVERAL_ROWS else 1
        return random.choices(self._rows, k=count)


def _failure(status: int, deployment: str | None, body: bytes, rows: int) -> str | None:
    if status != 200:
        return f"status {status}"
    if deployment is None:
        return "answer without azureml-model-deployment"
    try:
        predictions = json.loads(body)["predictions"]
    except (ValueError, KeyError, TypeError):
        return "answer is not the model's"
    return None if len(predictions) == rows else "answer has the wrong number of predictions"
