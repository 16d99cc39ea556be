"""Every knob of the local cloud, in one place. Durations are real seconds; the date is never changed.

`minute_seconds` is the length of one Azure minute for what Azure counts in minutes: metric grains (PT1M), alert
windows and frequencies, and retry schedules. Everything else is a plain duration of one kind of operation.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Settings:
    """Read from the environment as `LOCALCLOUD_<FIELD>`, for example `LOCALCLOUD_MINUTE_SECONDS=5`."""

    subscription_id: str = "00000000-0000-0000-0000-000000000001"
    tenant_id: str = "00000000-0000-0000-0000-00000000000a"
    resource_group: str = "rg-local"
    workspace: str = "ml-local"
    registry: str = "contoso-models"
    region: str = "westeurope"
    log_analytics_workspace_id: str = "00000000-0000-0000-0000-000000000002"
    instrumentation_key: str = "00000000-0000-0000-0000-000000000003"

    minute_seconds: float = 5.0
    endpoint_seconds: float = 0.5
    traffic_seconds: float = 1.0
    deployment_seconds: float = 1.0
    delete_seconds: float = 0.5
    job_seconds: float = 0.5
    ingestion_seconds: float = 1.0
    alert_evaluation_seconds: float = 2.0
    event_delay_seconds: float = 0.1

    stepped: str = ""
    """What waits for `POST /localcloud/step` instead of the clock: operations, ingestion, alerts (commas), or all."""

    operation_lock: str = "endpoint"
    """What one running operation blocks with 409: `endpoint` (it and all its deployments) or `resource` (itself)."""
    mirrored_rows_in_traffic_log: bool = True
    """UNCONFIRMED in Azure, so a switch."""
    quota_cores: int = 1000
    throttling: bool = True
    """Whether ARM answers 429 when a bucket is empty. Buckets refill 60 / minute_seconds times as fast as on Azure."""
    throttle_reads: int = 250
    throttle_reads_per_second: float = 25.0
    throttle_writes: int = 200
    throttle_writes_per_second: float = 10.0
    throttle_deletes: int = 200
    throttle_deletes_per_second: float = 10.0
    throttle_deployments: int = 25
    throttle_deployments_per_second: float = 1.0
    """UNCONFIRMED in Azure, which was seen to start at 25."""
    log_row_limit: int = 500_000
    log_byte_limit: int = 64_000_000
    log_query_seconds: float = 600.0
    """The longest that a log query may take, whatever its `Prefer: wait=` says."""
    log_queries_per_half_minute: int = 200
    """Of one caller; half a minute is minute_seconds / 2 here."""
    log_queries_at_once: int = 5
    """Of one caller; more wait in a queue."""
    cost_delay_minutes: float = 480.0
    """Azure minutes until Cost Management knows a cost: 8 to 24 hours on Azure."""
    rows_kept_seconds: float = 7200.0
    """How long log rows and custom metrics stay. Azure keeps them for weeks; a local stack must not grow for days."""


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings with every `LOCALCLOUD_*` value laid over the defaults; ValueError names the variable that is wrong."""
    given: dict[str, Any] = {}
    for field in fields(Settings):
        name = f"LOCALCLOUD_{field.name.upper()}"
        if (text := environment.get(name)) is None:
            continue
        kind = type(getattr(Settings, field.name))
        try:
            given[field.name] = text.lower() in ("1", "true", "yes", "on") if kind is bool else kind(text)
        except ValueError:
            raise ValueError(f"{name}: {text!r} is not a {kind.__name__}") from None
    return Settings(**given)
