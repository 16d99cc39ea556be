"""Rows of AmlOnlineEndpointTrafficLog: written by the front, one per request, and sent to the cloud in batches.

A row is a plain list in the order of COLUMNS, so that it is encoded once and carries no names on the way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from localcloud.scoring.call import Call, Outcome

TABLE = "AmlOnlineEndpointTrafficLog"
COLUMNS = (
    "TimeGenerated",
    "_ResourceId",
    "EndpointName",
    "DeploymentName",
    "AzureMLWorkspaceName",
    "AzureMLWorkspaceId",
    "Location",
    "Method",
    "Path",
    "Protocol",
    "UserAgent",
    "AuthType",
    "IdentityData",
    "XRequestId",
    "XMSClientRequestId",
    "ResponseCode",
    "ResponseCodeReason",
    "ModelStatusCode",
    "ModelStatusReason",
    "RequestPayloadSize",
    "ResponsePayloadSize",
    "TotalDurationMs",
    "RequestDurationMs",
    "ResponseDurationMs",
    "RequestThrottlingDelayMs",
    "ResponseThrottlingDelayMs",
    "_mirrored",
)
_FLUSH_SECONDS = 0.15
_USER_AGENT_LENGTH = 70


def row(
    call: Call, deployment: str, outcome: Outcome, began: float, *, mirrored: bool, response_delay: float = 0.0
) -> list[Any]:
    """One request as the table shows it; `began` is when it started, on the clock of `time.perf_counter`."""
    now = time.perf_counter()
    total = _milliseconds(now - began)
    request = 0 if mirrored else _milliseconds(call.received - began)
    first_byte = total if outcome.first_byte is None else _milliseconds(outcome.first_byte - began)
    routes = call.routes
    return [
        time.time(),
        routes.resource_id,
        routes.endpoint,
        deployment,
        routes.workspace,
        routes.workspace_id,
        routes.region,
        call.method,
        call.path,
        "HTTP/1.1",
        call.user_agent[:_USER_AGENT_LENGTH],
        routes.auth_mode,
        call.identity,
        call.request_id,
        call.client_request_id,
        outcome.status,
        outcome.reason,
        outcome.model_status,
        outcome.model_reason,
        len(call.body),
        len(outcome.body),
        total,
        request,
        first_byte,
        0 if mirrored else _milliseconds(call.request_delay),
        _milliseconds(response_delay),
        mirrored,
    ]


def to_record(values: Sequence[Any]) -> dict[str, Any]:
    """The row as the tables take it: by column name, with a real time."""
    record = dict(zip(COLUMNS, values, strict=True))
    record["TimeGenerated"] = datetime.fromtimestamp(record["TimeGenerated"], UTC)
    return record


class Batch:
    """Rows that leave together, at most 150 ms after the first of them."""

    def __init__(self, send: Callable[[list[list[Any]]], None]) -> None:
        self._send = send
        self._rows: list[list[Any]] = []

    def add(self, values: list[Any]) -> None:
        """Take a row; the first of a batch sets the clock."""
        if not self._rows:
            asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self.flush)
        self._rows.append(values)

    def flush(self) -> None:
        """Send what has gathered."""
        if self._rows:
            rows, self._rows = self._rows, []
            self._send(rows)


def _milliseconds(seconds: float) -> int:
    return max(0, round(seconds * 1000))
