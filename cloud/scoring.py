"""Requests straight to an online endpoint, by plain HTTP.

Not by the SDK's `invoke`: it leaks the deployment header into every later call of the process and hides status and
headers. A probe carries a client request id that starts with `understudy-`, so that it can be told from traffic.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloud.errors import Temporary

PROBE_PREFIX = "understudy"
"""Azure strips everything but letters and digits from client request ids."""


@dataclass(frozen=True)
class Reply:
    """What one request came to. `seconds` is the client's own clock, start to last byte."""

    status: int
    body: str
    seconds: float
    deployment: str
    """The deployment that answered, as the endpoint says."""


def score(uri: str, key: str, request: Any, *, deployment: str, probe_id: str, timeout: float) -> Reply:
    """Send one JSON request to one deployment, past the traffic rules. Temporary when no answer came in `timeout` s."""
    import requests

    headers: Mapping[str, str] = {
        "Authorization": f"Bearer {key}",
        "azureml-model-deployment": deployment,
        "x-ms-client-request-id": f"{PROBE_PREFIX}{probe_id}",
    }
    started = time.perf_counter()
    try:
        reply = requests.post(uri, json=request, headers=headers, timeout=timeout)
    except requests.RequestException as error:
        raise Temporary(f"scoring {deployment}: no answer: {error}", retry_after=5.0) from error
    return Reply(
        reply.status_code,
        reply.text,
        time.perf_counter() - started,
        reply.headers.get("azureml-model-deployment", ""),
    )
