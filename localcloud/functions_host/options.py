"""host.json: the options that this host honours, with Azure's defaults."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

_TIME_SPAN = re.compile(r"^(?:(\d+)\.)?(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d+))?$")


@dataclass(frozen=True)
class Options:
    """Defaults are the real host's."""

    route_prefix: str = "api"
    batch_size: int = 16
    new_batch_threshold: int = 8
    """Default: half a batch per core."""
    max_dequeue_count: int = 5
    visibility_timeout: timedelta = timedelta(0)
    """How long a failed message stays hidden before it is tried again."""
    max_polling_interval: timedelta = timedelta(minutes=1)
    base64: bool = True
    function_timeout: timedelta | None = timedelta(minutes=30)
    """The longest run of one function; None: unbounded. Azure's default on every plan but Consumption."""
    bundle: str = ""
    """The extension bundle that host.json names."""


def read(folder: Path) -> Options:
    """The app's host.json; ValueError says what is wrong with it."""
    path = folder / "host.json"
    if not path.exists():
        raise ValueError(f"There is no host.json in {folder}.")
    host = json.loads(path.read_text())
    if host.get("version") != "2.0":
        raise ValueError("host.json: 'version' must be \"2.0\".")
    extensions: dict[str, Any] = host.get("extensions", {})
    queues: dict[str, Any] = extensions.get("queues", {})
    batch_size = min(int(queues.get("batchSize", Options.batch_size)), 32)
    return Options(
        route_prefix=extensions.get("http", {}).get("routePrefix", Options.route_prefix),
        batch_size=batch_size,
        new_batch_threshold=int(queues.get("newBatchThreshold", max(batch_size // 2, 1) * (os.cpu_count() or 1))),
        max_dequeue_count=int(queues.get("maxDequeueCount", Options.max_dequeue_count)),
        visibility_timeout=time_span(queues.get("visibilityTimeout", "00:00:00")),
        max_polling_interval=time_span(queues.get("maxPollingInterval", "00:01:00")),
        base64=queues.get("messageEncoding", "base64").lower() == "base64",
        function_timeout=None if (timeout := host.get("functionTimeout", "00:30:00")) == "-1" else time_span(timeout),
        bundle=host.get("extensionBundle", {}).get("id", ""),
    )


def time_span(text: str, where: str = "host.json") -> timedelta:
    """.NET's `[d.]hh:mm:ss[.fraction]`; ValueError names the place of one that is wrong."""
    match = _TIME_SPAN.match(text)
    if match is None:
        raise ValueError(f"{where}: {text!r} is no time span (hh:mm:ss).")
    days, hours, minutes, seconds, fraction = match.groups()
    return timedelta(
        days=int(days or 0),
        hours=int(hours),
        minutes=int(minutes),
        seconds=int(seconds) + (float(f"0.{fraction}") if fraction else 0.0),
    )
