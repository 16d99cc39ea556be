"""Delivery to webhooks: the validation handshake, and Event Grid's retry schedule in the local cloud's minutes.

At least once, in no order: every event and subscription is a task of its own, as in Azure. How long Event Grid waits
for an answer is not shortened, since it is the receiver's budget and not a delay of ours.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiohttp

from localcloud.eventgrid.events import CLOUD_EVENTS, Event
from localcloud.seams import Json

if TYPE_CHECKING:
    from localcloud.eventgrid.hub import Subscription

_ANSWER_SECONDS = 30.0
_ORIGIN = "eventgrid.azure.net"
_HOUR = 3600.0
#: Seconds of Azure's clock before each further try; the last one repeats.
_SCHEDULE = (10.0, 30.0, 60.0, 300.0, 600.0, 1800.0, _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR)
_AT_LEAST = {408: 120.0, 503: 30.0}
_ACCEPTED = range(200, 205)
_FINAL = (400, 401, 403, 413)


class HandshakeFailed(Exception):
    """The webhook did not prove that it wants the events; the message says what it did."""


class Delivery:
    """Sends events; `session` is set while the cloud runs."""

    session: aiohttp.ClientSession

    def __init__(self, minute_seconds: float, delay_seconds: float) -> None:
        self._scale = minute_seconds / 60
        self._delay = delay_seconds
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, event: Event, subscription: Subscription) -> None:
        """Deliver in the background."""
        task = asyncio.create_task(self._deliver(event, subscription))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up whatever is not delivered yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def validate(self, subscription: Subscription) -> None:
        """The handshake of the subscription's schema; HandshakeFailed when the webhook does not agree."""
        try:
            if subscription.schema == CLOUD_EVENTS:
                await self._validate_by_options(subscription)
            else:
                await self._validate_by_event(subscription)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise HandshakeFailed(f"the webhook did not answer: {type(error).__name__}") from error

    async def _validate_by_event(self, subscription: Subscription) -> None:
        code = str(uuid.uuid4()).upper()
        body = {
            "id": str(uuid.uuid4()),
            "topic": subscription.topic,
            "subject": "",
            "data": {"validationCode": code},
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "eventTime": datetime.now(UTC).isoformat(),
            "metadataVersion": "1",
            "dataVersion": "2",
        }
        headers = _headers(subscription, "SubscriptionValidation", delivery_count=0)
        async with self._post(subscription, json.dumps([body]), headers) as response:
            answer = await _json(response)
            agreed = isinstance(answer, dict) and answer.get("validationResponse") == code
            if response.status != 200 or not agreed:
                raise HandshakeFailed(f"status {response.status} without the validation code")

    async def _validate_by_options(self, subscription: Subscription) -> None:
        headers = {"WebHook-Request-Origin": _ORIGIN}
        timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
        async with self.session.options(subscription.endpoint_url, headers=headers, timeout=timeout) as response:
            allowed = response.headers.get("WebHook-Allowed-Origin", "")
            if response.status != 200 or allowed not in (_ORIGIN, "*"):
                raise HandshakeFailed(f"status {response.status}, WebHook-Allowed-Origin {allowed!r}")

    async def _deliver(self, event: Event, subscription: Subscription) -> None:
        deadline = time.monotonic() + subscription.minutes_to_live * 60 * self._scale
        await asyncio.sleep(self._delay)
        for attempt in range(subscription.max_attempts):
            status = await self._send(event, subscription, attempt)
            if status in _ACCEPTED:
                return None
            if status in _FINAL:
                return self._drop(event, subscription, f"status {status} is not retried")
            pause = max(_SCHEDULE[min(attempt, len(_SCHEDULE) - 1)], _AT_LEAST.get(status, 10.0)) * self._scale
            if time.monotonic() + pause > deadline:
                return self._drop(event, subscription, "its time to live is over")
            await asyncio.sleep(pause)
        return self._drop(event, subscription, f"{subscription.max_attempts} attempts failed")

    async def _send(self, event: Event, subscription: Subscription, attempt: int) -> int:
        """The answer's status; 0 when there was none."""
        headers = _headers(subscription, "Notification", delivery_count=attempt)
        headers["aeg-output-event-id"] = str(uuid.uuid4())
        headers["aeg-data-version"], headers["aeg-metadata-version"] = event.data_version, "1"
        rendered = event.render(subscription.schema)
        body = json.dumps(rendered if subscription.schema == CLOUD_EVENTS else [rendered])
        try:
            async with self._post(subscription, body, headers) as response:
                return int(response.status)
        except (aiohttp.ClientError, TimeoutError):
            return 0

    def _post(self, subscription: Subscription, body: str, headers: dict[str, str]) -> Any:
        kind = "application/cloudevents+json" if subscription.schema == CLOUD_EVENTS else "application/json"
        return self.session.post(
            subscription.endpoint_url,
            data=body.encode(),
            headers={**headers, "Content-Type": f"{kind}; charset=utf-8"},
            timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS),
        )

    def _drop(self, event: Event, subscription: Subscription, reason: str) -> None:
        print(f"event grid: dropped {event.event_type} {event.subject} for {subscription.name}: {reason}", flush=True)


def _headers(subscription: Subscription, kind: str, *, delivery_count: int) -> dict[str, str]:
    return {
        "aeg-event-type": kind,
        "aeg-subscription-name": subscription.name.upper(),
        "aeg-delivery-count": str(delivery_count),
    }


async def _json(response: aiohttp.ClientResponse) -> Json | None:
    try:
        loaded: Json = json.loads(await response.read())
    except ValueError:
        return None
    return loaded
