"""Copies of live requests for one shadow deployment: a bounded queue and as many senders as the shadow has slots.

The live answer never waits for any of this. A shadow that is too slow loses copies, which are counted, rather than
holding memory or falling ever further behind.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from localcloud.scoring.backend import Backend
from localcloud.scoring.call import Call
from localcloud.scoring.traffic_log import row


class Mirror:
    """The senders of one backend. They start with the first copy and end with `close`."""

    def __init__(
        self, backend: Backend, capacity: int, log: Callable[[list[Any]], None], count: Callable[[int], object]
    ) -> None:
        self._backend, self._log, self._count = backend, log, count
        self._queue: asyncio.Queue[Call] = asyncio.Queue(capacity)
        self._senders: list[asyncio.Task[None]] = []
        self.sent = 0
        self.dropped = 0

    def offer(self, call: Call) -> None:
        """Take a copy, or drop it when the shadow is too far behind."""
        if not self._senders:
            self._senders = [asyncio.create_task(self._send()) for _ in range(self._backend.slots)]
        try:
            self._queue.put_nowait(call)
        except asyncio.QueueFull:
            self.dropped += 1

    async def close(self) -> None:
        """Give up what still waits; a copy under way is cut off."""
        for sender in self._senders:
            sender.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)

    async def _send(self) -> None:
        while True:
            call = await self._queue.get()
            began = time.perf_counter()
            outcome = await self._backend.score(call)
            # Copies wait for nothing, but their bytes are the endpoint's, both ways.
            self._count(len(call.body) + len(outcome.body))
            self.sent += 1
            self._log(row(call, self._backend.deployment, outcome, began, mirrored=True))
