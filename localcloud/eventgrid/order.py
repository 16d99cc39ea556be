"""Who overtakes whom: an event that is held back goes after a later one of the same subscription (`event.reorder`)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.eventgrid.subscription import Subscription


class Order:
    """The events that wait to be overtaken."""

    def __init__(self) -> None:
        self._held: dict[Subscription, list[asyncio.Event]] = {}

    async def wait_for_another(self, subscription: Subscription, seconds: float) -> None:
        """Return when something else of this subscription has been delivered, or after so long."""
        overtaken = asyncio.Event()
        self._held.setdefault(subscription, []).append(overtaken)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await overtaken.wait()

    def delivered(self, subscription: Subscription) -> None:
        """Something was delivered."""
        for overtaken in self._held.pop(subscription, []):
            overtaken.set()
