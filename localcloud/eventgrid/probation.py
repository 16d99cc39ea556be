"""Endpoints that keep failing get everything later, new events too: Event Grid calls it delayed delivery.

Azure documents the lengths by the last failure, and that ten failed deliveries are enough. What makes a probation
longer ("up to several hours") it does not tell, so here it never is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

_FAILURES = 10
_LONG = 300.0
_SECONDS = {-1: 30.0, 0: 10.0, 401: _LONG, 403: _LONG, 404: _LONG, 408: 10.0, 503: 10.0}
_OTHERWISE_SECONDS = 10.0


@dataclass
class _Record:
    failures: int = 0
    until: float = 0.0


class Probation:
    """What is known of every endpoint that failed lately."""

    def __init__(self, scale: float) -> None:
        """`scale`: real seconds per second of Azure's."""
        self._scale = scale
        self._records: dict[str, _Record] = {}

    def note(self, endpoint: str, status: int, *, delivered: bool) -> None:
        """A delivery ended with this status; one that arrived forgives everything."""
        if delivered:
            self._records.pop(endpoint, None)
            return
        record = self._records.setdefault(endpoint, _Record())
        record.failures += 1
        if record.failures >= _FAILURES:
            record.until = time.monotonic() + _SECONDS.get(status, _OTHERWISE_SECONDS) * self._scale

    def seconds_left(self, endpoint: str) -> float:
        """How long nothing is sent to the endpoint; 0 for one in good standing."""
        record = self._records.get(endpoint)
        return max(0.0, record.until - time.monotonic()) if record else 0.0
