"""ARM's throttling: a token bucket per principal, subscription and kind of request; over it 429 with Retry-After.

Sizes and refills are Azure's since 2024 (reads 250 at 25/s, writes and deletes 200 at 10/s, 15 times that for the
subscription as a whole). Puts of deployments count against the resource provider's own, much smaller bucket: 25 were
seen, its refill is UNCONFIRMED. Refills run as fast as the clock of this cloud: a minute of `minute_seconds` refills
what a minute refills on Azure. With `throttling` off the headers still count, nothing is refused.
"""

from __future__ import annotations

import base64
import json
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from localcloud.seams import AzureError
from localcloud.settings import Settings

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

RATE_HEADERS = web.RequestKey("arm.rate-headers", dict[str, str])
"""Where a request keeps the header that its reply gets (`envelope.ReplyHeaders`)."""
SUBSCRIPTION_FACTOR = 15
_HEADER = "x-ms-ratelimit-remaining-subscription-"
_OF_METHOD = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}


@dataclass
class Bucket:
    """Tokens that come back with time. Time is given, never read."""

    size: float
    per_second: float
    tokens: float
    at: float

    def wait(self, now: float) -> float:
        """Seconds until one token is there; 0 when there is one."""
        self.tokens = min(self.size, self.tokens + (now - self.at) * self.per_second)
        self.at = now
        return 0.0 if self.tokens >= 1 else (1 - self.tokens) / self.per_second

    def take(self) -> None:
        """Use one; a bucket that is only counted may run below zero no further than empty."""
        self.tokens = max(0.0, self.tokens - 1)


class Throttling:
    """The buckets of one cloud, and the middleware that takes from them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._buckets: dict[tuple[str, ...], Bucket] = {}

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Take a token, or refuse; whatever the answer, it tells what is left."""
        if is_throttled(request.path):
            self._admit(request)
        return await handler(request)

    def _admit(self, request: web.Request) -> None:
        kind, now = kind_of(request.method, request.path), time.monotonic()
        subscription = request.path.split("/")[2].lower()
        own = self._bucket((subscription, principal(request.headers), kind), kind, 1, now)
        whole = self._bucket((subscription, kind), kind, SUBSCRIPTION_FACTOR, now)
        wait = max(own.wait(now), whole.wait(now))
        if wait == 0 or not self._settings.throttling:
            own.take()
            whole.take()
        request[RATE_HEADERS] = {_HEADER + kind: str(int(own.tokens))}
        if wait > 0 and self._settings.throttling:
            raise _too_many(kind, subscription, math.ceil(wait))

    def _bucket(self, key: tuple[str, ...], kind: str, factor: int, now: float) -> Bucket:
        if (bucket := self._buckets.get(key)) is None:
            settings = self._settings
            size, per_second = {
                "reads": (settings.throttle_reads, settings.throttle_reads_per_second),
                "writes": (settings.throttle_writes, settings.throttle_writes_per_second),
                "deletes": (settings.throttle_deletes, settings.throttle_deletes_per_second),
                "resource-requests": (settings.throttle_deployments, settings.throttle_deployments_per_second),
            }[kind]
            faster = 60 / settings.minute_seconds
            bucket = Bucket(size * factor, per_second * factor * faster, size * factor, now)
            self._buckets[key] = bucket
        return bucket


def is_throttled(path: str) -> bool:
    """Whether ARM itself answers: not its registry host, nor the metrics host, which has an ARM-like path."""
    return path.startswith("/subscriptions/") and not path.endswith("metrics:getBatch")


def kind_of(method: str, path: str) -> str:
    """The bucket of a request: POSTs are writes, also those that only read (listKeys)."""
    if method == "PUT" and "/deployments/" in path.lower():
        return "resource-requests"
    return _OF_METHOD.get(method, "writes")


def principal(headers: Mapping[str, str]) -> str:
    """Who calls: the token's object id, or the token itself when it cannot be read."""
    token = headers.get("Authorization", "").rpartition(" ")[2]
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return str(claims["oid"])
    except (IndexError, KeyError, TypeError, ValueError):
        return token


def _too_many(kind: str, subscription: str, seconds: int) -> AzureError:
    return AzureError(
        429,
        "SubscriptionRequestsThrottled",
        f"Number of '{kind}' requests for subscription '{subscription}' exceeded the limit of this principal. "
        f"Please try again after '{seconds}' seconds.",
        headers={"Retry-After": str(seconds)},
    )
