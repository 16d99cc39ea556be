"""The supervisor's own small HTTP client: is a part up, and what does it say."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Reply:
    """A status and, when the body was JSON, its value."""

    status: int
    body: Any


def call(
    method: str, url: str, *, ca_file: Path, headers: Mapping[str, str] | None = None, body: Any = None
) -> Reply | None:
    """One request, past any proxy; None when nothing answers there (yet)."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method)
    for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
        request.add_header(name, value)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(ca_file))),
    )
    try:
        with opener.open(request, timeout=_TIMEOUT_SECONDS) as response:
            return Reply(response.status, _json(response.read()))
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, _json(error.read()))
    except OSError:
        return None


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")
