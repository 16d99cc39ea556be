"""Events of one subscription gathered into requests of the size that it asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from localcloud.eventgrid.events import Event

if TYPE_CHECKING:
    from localcloud.eventgrid.subscription import Subscription


class Batches:
    """What waits to go together."""

    def __init__(self) -> None:
        self._waiting: dict[Subscription, list[Event]] = {}

    def add(self, event: Event, subscription: Subscription) -> bool:
        """Whether it is the first one that waits, so that somebody has to come and take."""
        first = subscription not in self._waiting
        self._waiting.setdefault(subscription, []).append(event)
        return first

    def take(self, subscription: Subscription) -> list[list[Event]]:
        """All that waits, in batches of the subscription's number and size; an event larger than that goes alone."""
        batches: list[list[Event]] = []
        room = 0
        for event in self._waiting.pop(subscription, []):
            size = len(json.dumps(event.render(subscription.schema)))
            if not batches or len(batches[-1]) == subscription.max_events_per_batch or size > room:
                batches.append([])
                room = subscription.batch_kilobytes * 1024
            batches[-1].append(event)
            room -= size
        return batches
