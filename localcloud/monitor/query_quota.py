"""How many log queries one caller may send: some in each half minute, some at once, and a queue for the rest.

Callers are told apart by their tokens. Over any of the three the service answers 429 ThrottledError; whether it sends
Retry-After is not documented, and without it the SDK raises at once, so the stand-in sends none.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from localcloud.monitor.kql_errors import QueryRefused
from localcloud.settings import Settings

_QUEUE = 200
_QUEUED_SECONDS = 180.0


@dataclass
class _Caller:
    at_once: asyncio.Semaphore
    started: deque[float] = field(default_factory=deque)
    queued: int = 0


class QueryQuota:
    """The quotas of all callers of one workspace."""

    def __init__(self, settings: Settings) -> None:
        self._rate, self._period = settings.log_queries_per_half_minute, settings.minute_seconds / 2
        self._callers: dict[str, _Caller] = defaultdict(
            lambda: _Caller(asyncio.Semaphore(settings.log_queries_at_once))
        )

    @asynccontextmanager
    async def place(self, caller: str) -> AsyncIterator[None]:
        """One query's place; QueryRefused 429 when there is none."""
        used = self._callers[caller]
        self._count(used)
        if used.queued >= _QUEUE:
            raise _throttled("The queue of queries is full.")
        used.queued += 1
        try:
            async with asyncio.timeout(_QUEUED_SECONDS):
                await used.at_once.acquire()
        except TimeoutError:
            raise _throttled("The query waited in the queue for too long.") from None
        finally:
            used.queued -= 1
        try:
            yield
        finally:
            used.at_once.release()

    def _count(self, used: _Caller) -> None:
        now = time.monotonic()
        while used.started and used.started[0] <= now - self._period:
            used.started.popleft()
        if len(used.started) >= self._rate:
            raise _throttled(f"More than {self._rate} queries in 30 seconds.")
        used.started.append(now)


def _throttled(message: str) -> QueryRefused:
    return QueryRefused(429, "ThrottledError", f"The request is throttled. {message}")
