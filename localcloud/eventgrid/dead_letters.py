"""Events that could not be delivered, as blobs in the subscription's container, five of Azure's minutes afterwards.

The blob is `{SUBSCRIPTION}/{year}/{month}/{day}/{hour}/{guid}.json` with the date unpadded, and holds an array. Storage
that cannot be written loses the events after some tries, as on Azure after four hours.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from localcloud.eventgrid.events import CLOUD_EVENTS, Event
from localcloud.eventgrid.webhook import NO_ANSWER, NO_CONNECTION
from localcloud.seams import Cloud, Json, utc_now

_WAIT_MINUTES = 5.0
_TRIES = 5


@dataclass(frozen=True)
class Undelivered:
    """Why a batch of events was given up."""

    reason: str
    attempts: int
    last_status: int
    published: str
    last_attempt: str


class DeadLetters:
    """Writes to the workspace's storage account, whatever account the subscription names: there is only one here."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def keep(
        self, container: str, subscription: str, schema: str, events: Sequence[Event], why: Undelivered
    ) -> None:
        """Write the events that were given up."""
        minute = self._cloud.settings.minute_seconds
        await asyncio.sleep(_WAIT_MINUTES * minute)
        now = utc_now()
        name = f"{subscription.upper()}/{now.year}/{now.month}/{now.day}/{now.hour}/{uuid.uuid4()}.json"
        body = json.dumps([_letter(event, schema, why) for event in events]).encode()
        for _ in range(_TRIES):
            try:
                await asyncio.to_thread(self._cloud.blobs.upload, container, name, body)
                return
            except Exception as error:  # the SDK's many kinds; nothing that delivers may end for it
                print(f"event grid: dead letter {name} cannot be written: {error}", flush=True)
                await asyncio.sleep(minute)


def _letter(event: Event, schema: str, why: Undelivered) -> Json:
    added: Json = {
        "deadLetterReason": why.reason,
        "deliveryAttempts": why.attempts,
        "lastDeliveryOutcome": _outcome(why.last_status),
        "lastHttpStatusCode": max(why.last_status, NO_ANSWER),
        "publishTime": why.published,
        "lastDeliveryAttemptTime": why.last_attempt,
    }
    if schema == CLOUD_EVENTS:
        added = {name.lower(): value for name, value in added.items()}
    return event.render(schema) | added


def _outcome(status: int) -> str:
    known = {
        NO_CONNECTION: "SocketError",
        NO_ANSWER: "TimedOut",
        400: "BadRequest",
        401: "Unauthorized",
        403: "Forbidden",
        404: "NotFound",
        408: "TimedOut",
        413: "RequestEntityTooLarge",
        503: "Busy",
    }
    return known.get(status, "GenericError")
