"""HTTP faults of scoring requests. The cloud process keeps the faults; the front asks it while any is waiting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from localcloud.http_faults import strike, subject_of
from localcloud.scoring.channel import Message


class FrontFaults:
    """Costs one attribute look per request while nothing is armed."""

    def __init__(self, ask: Callable[[Message], Awaitable[Message]]) -> None:
        self._ask = ask
        self.armed = False

    async def handle(
        self, request: web.BaseRequest, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """The handler's answer, or what the fault makes of it."""
        answer = await self._ask({"do": "fault", "subject": subject_of(request)})
        self.armed = answer["armed"]
        if answer["fault"] is None:
            return await handler(request)
        return await strike(request, lambda: handler(request), answer["fault"])
