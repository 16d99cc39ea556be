"""One scoring request inside the front, and what came of it: plain values that gateway, mirror and log share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from localcloud.scoring.routing import Routes


@dataclass(frozen=True, slots=True)
class Call:
    """A request as read from the client; the mirror sends the same one again."""

    routes: Routes
    method: str
    path: str
    headers: Mapping[str, str]
    """What the container gets: no hop-by-hop headers, no credentials, with both request ids."""
    body: bytes
    request_id: str
    client_request_id: str
    user_agent: str
    identity: str
    began: float
    request_delay: float
    """Seconds that the endpoint's bandwidth held it back."""
    received: float
    """When the last byte of the request was here (`time.perf_counter`, as `began`)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer for the client, and what the model said where it said something."""

    status: int
    reason: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    model_status: int | None = None
    model_reason: str = ""
    first_byte: float | None = None


def refusal(status: int, text: str) -> Outcome:
    """An answer that the front gives by itself."""
    return Outcome(status, HTTPStatus(status).phrase, text.encode(), {"Content-Type": "text/plain; charset=utf-8"})
