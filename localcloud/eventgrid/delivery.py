"""Delivery to webhooks on Event Grid's retry schedule, in the local cloud's minutes; batched where a subscription asks.

At least once, in no order: every batch and subscription is a task of its own, as in Azure. How long Event Grid waits
for an answer is not shortened, since it is the receiver's budget and not a delay of ours. A batch is delivered, retried
and given up as a whole.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from localcloud.eventgrid.batches import Batches
from localcloud.eventgrid.dead_letters import DeadLetters, Undelivered
from localcloud.eventgrid.events import CLOUD_EVENTS, Event
from localcloud.eventgrid.order import Order
from localcloud.eventgrid.probation import Probation
from localcloud.eventgrid.webhook import NO_ANSWER, Webhook, content_type
from localcloud.seams import Cloud, utc_now

if TYPE_CHECKING:
    from localcloud.eventgrid.subscription import Subscription

_HOUR = 3600.0
#: Seconds of Azure's clock before each further try; the last one repeats.
_SCHEDULE = (10.0, 30.0, 60.0, 300.0, 600.0, 1800.0, _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR)
_MOST_JITTER = 1.1
_AT_LEAST = {408: 120.0, 503: 30.0}
_ACCEPTED = range(200, 205)
_FINAL = {
    400: "UndeliverableDueToHttpBadRequest",
    401: "UndeliverableDueToHttpUnauthorized",
    403: "UndeliverableDueToHttpForbidden",
    413: "UndeliverableDueToHttpRequestEntityTooLarge",
}


class Delivery:
    """Sends events in the background."""

    def __init__(self, cloud: Cloud, webhook: Webhook) -> None:
        self._faults, self._webhook = cloud.faults, webhook
        self._scale = cloud.settings.minute_seconds / 60
        self._delay = cloud.settings.event_delay_seconds
        self._dead_letters = DeadLetters(cloud)
        self._probation = Probation(self._scale)
        self._batches = Batches()
        self._order = Order()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, event: Event, subscription: Subscription) -> None:
        """Deliver in the background, as often and in such order as the faults say."""
        copies = self._faults.take("event.duplicate", event.words)
        for _ in range(1 + (int(copies.get("copies", 1)) if copies is not None else 0)):
            held = self._faults.take("event.reorder", event.words)
            if held is not None:
                self._spawn(self._deliver_late([event], subscription, float(held.get("seconds", 5))))
            elif not subscription.batched:
                self._spawn(self._deliver([event], subscription))
            elif self._batches.add(event, subscription):
                self._spawn(self._deliver_batches(subscription))

    async def close(self) -> None:
        """Give up whatever is not delivered yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver_batches(self, subscription: Subscription) -> None:
        await asyncio.sleep(self._delay)
        for batch in self._batches.take(subscription):
            self._spawn(self._deliver(batch, subscription, delay=0))

    async def _deliver_late(self, events: Sequence[Event], subscription: Subscription, seconds: float) -> None:
        await self._order.wait_for_another(subscription, seconds)
        await self._deliver(events, subscription)

    async def _deliver(self, events: Sequence[Event], subscription: Subscription, delay: float | None = None) -> None:
        published, attempt, status = utc_now().isoformat(), 0, 0
        tried = published
        deadline = time.monotonic() + subscription.minutes_to_live * 60 * self._scale
        await asyncio.sleep(self._delay if delay is None else delay)
        reason = "MaxDeliveryAttemptsExceeded"
        while attempt < subscription.max_attempts:
            await asyncio.sleep(self._probation.seconds_left(subscription.endpoint_url))
            tried = utc_now().isoformat()
            status = await self._send(events, subscription, attempt)
            self._probation.note(subscription.endpoint_url, status, delivered=status in _ACCEPTED)
            if status in _ACCEPTED:
                self._order.delivered(subscription)
                return
            attempt += 1
            if status in _FINAL:
                reason = _FINAL[status]
                break
            pause = self._pause(attempt, status)
            if time.monotonic() + pause > deadline:
                reason = "TimeToLiveExceeded"
                break
            await asyncio.sleep(pause)
        await self._give_up(events, subscription, Undelivered(reason, attempt, status, published, tried))

    def _pause(self, attempt: int, status: int) -> float:
        """By the schedule, and a little later by chance, as Azure spreads its retries."""
        scheduled = max(_SCHEDULE[min(attempt - 1, len(_SCHEDULE) - 1)], _AT_LEAST.get(status, 10.0))
        return scheduled * self._scale * random.uniform(1.0, _MOST_JITTER)

    async def _send(self, events: Sequence[Event], subscription: Subscription, attempt: int) -> int:
        first = events[0]
        rendered = [event.render(subscription.schema) for event in events]
        single = subscription.schema == CLOUD_EVENTS and not subscription.batched
        headers = {
            "aeg-output-event-id": str(uuid.uuid4()),
            "aeg-data-version": first.data_version,
            "aeg-metadata-version": "1",
            "Content-Type": content_type(subscription),
        }
        body = json.dumps(rendered[0] if single else rendered).encode()
        status = await self._webhook.notify(subscription, body, headers, attempt)
        lost = [self._faults.take("events.lost_ack", event.words) for event in events] if status in _ACCEPTED else []
        return NO_ANSWER if any(one is not None for one in lost) else status

    async def _give_up(self, events: Sequence[Event], subscription: Subscription, why: Undelivered) -> None:
        names = ", ".join(event.words for event in events)
        print(f"event grid: gave up {names} for {subscription.name}: {why.reason}", flush=True)
        if subscription.dead_letter_container:
            await self._dead_letters.keep(
                subscription.dead_letter_container, subscription.name, subscription.schema, events, why
            )
