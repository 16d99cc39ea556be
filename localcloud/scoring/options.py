"""Switches of the data plane that only matter here; the ones shared with other parts are in `localcloud.settings`.

Where Azure's own limit is not documented the switch says so, and 0 turns it off.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

_CHOICES = {"console_format": ("new", "old"), "start_method": ("fork", "spawn")}


@dataclass(frozen=True)
class ScoringOptions:
    """Read from the environment as `LOCALCLOUD_<FIELD>`, for example `LOCALCLOUD_CONSOLE_FORMAT=old`."""

    console_format: str = "new"
    """What the image's logger puts in front of a message: `new` (`time L [pid] logger - `) or `old` (with pipes)."""
    console_split_bytes: int = 16 * 1024
    """A longer line becomes several rows, as container runtimes do (UNCONFIRMED in Azure)."""
    console_cut_bytes: int = 32 * 1024
    """A longer message loses its end, as neighbouring Azure services do (UNCONFIRMED in Azure)."""
    console_lines_kept: int = 10_000
    """Lines per deployment that getLogs can show."""
    mirror_queue: int = 256
    """Copies that may wait for a slow shadow; more are dropped and counted."""
    bandwidth_bytes_per_second: int = 5_000_000
    """Of each endpoint, requests, responses and mirrored copies together; more is slowed down."""
    requests_per_second: int = 0
    """Of each endpoint; more are refused with 429. Azure's is 500, which a load test here would only run into."""
    collector_batch_seconds: float = 0.2
    """What the data collector gets within this time becomes one line (how long that is on Azure: UNCONFIRMED)."""
    start_method: str = "fork"
    """`fork`: containers are forked from a process that has scikit-learn loaded. `spawn`: each starts from nothing."""
    ready_seconds: float = 60.0
    """How long a container may take until it is ready."""


def options_from_environment(environment: Mapping[str, str] = os.environ) -> ScoringOptions:
    """Options with every `LOCALCLOUD_*` value laid over the defaults; ValueError names the variable that is wrong."""
    values: dict[str, Any] = {}
    for field in fields(ScoringOptions):
        name = f"LOCALCLOUD_{field.name.upper()}"
        if (text := environment.get(name)) is None:
            continue
        kind: type = type(getattr(ScoringOptions(), field.name))
        try:
            values[field.name] = kind(text)
        except ValueError:
            raise ValueError(f"{name}: {text!r} is not a {kind.__name__}") from None
        if text not in (choices := _CHOICES.get(field.name, (text,))):
            raise ValueError(f"{name}: {text!r} is not one of {', '.join(choices)}")
    return ScoringOptions(**values)
