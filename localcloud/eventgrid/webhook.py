"""One POST to a subscription's webhook, with Event Grid's headers; and the handshake before the first one."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiohttp

from localcloud.eventgrid.events import CLOUD_EVENTS
from localcloud.seams import Json

if TYPE_CHECKING:
    from localcloud.eventgrid.subscription import Subscription

_ANSWER_SECONDS = 30.0
#: In place of a status.
NO_ANSWER, NO_CONNECTION = 0, -1
_ORIGIN = "eventgrid.azure.net"


class HandshakeFailed(Exception):
    """The webhook did not prove that it wants the events; the message says what it did."""


class Webhook:
    """Calls webhooks; `session` is set while the cloud runs."""

    session: aiohttp.ClientSession

    async def notify(self, subscription: Subscription, body: bytes, headers: dict[str, str], attempt: int) -> int:
        """The answer's status, or why there was none."""
        sent = {**_headers(subscription, "Notification", attempt), **headers}
        try:
            async with self._post(subscription, body, sent) as response:
                return int(response.status)
        except TimeoutError:
            return NO_ANSWER
        except aiohttp.ClientError:
            return NO_CONNECTION

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
        headers = _headers(subscription, "SubscriptionValidation", 0)
        headers["Content-Type"] = _content_type("application/json")
        async with self._post(subscription, json.dumps([body]).encode(), headers) as response:
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

    def _post(self, subscription: Subscription, body: bytes, headers: dict[str, str]) -> Any:
        timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
        return self.session.post(subscription.endpoint_url, data=body, headers=headers, timeout=timeout)


def content_type(subscription: Subscription) -> str:
    """Of a delivery: CloudEvents have a media type of their own, and another one for batches."""
    if subscription.schema != CLOUD_EVENTS:
        return _content_type("application/json")
    batched = "-batch" if subscription.batched else ""
    return _content_type(f"application/cloudevents{batched}+json")


def _content_type(kind: str) -> str:
    return f"{kind}; charset=utf-8"


def _headers(subscription: Subscription, kind: str, delivery_count: int) -> dict[str, str]:
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
