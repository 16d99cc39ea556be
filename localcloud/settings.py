"""Every knob of the local cloud, in one place. Durations are real seconds; the date is never changed.

`minute_seconds` is the length of one Azure minute for what Azure counts in minutes: metric grains (PT1M), alert
windows and frequencies, and retry schedules. Everything else is a plain duration of one kind of operation.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from localcloud.pace import Pace

_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
_A: Mapping[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
_CHOICES = {"operation_lock": ("endpoint", "resource"), "model_event_shape": ("documented", "recorded")}


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
    """The length of one Azure minute: metric grains, alert windows and frequencies, retry schedules, refills."""
    endpoint_seconds: float = 0.5
    """How long creating or changing an endpoint takes."""
    traffic_seconds: float = 1.0
    """How long a change of traffic or mirror takes."""
    deployment_seconds: float = 1.0
    """How long a deployment takes beyond the real start of its container."""
    delete_seconds: float = 0.5
    """How long a deletion takes."""
    job_seconds: float = 0.5
    """How long a job waits before it runs."""
    ingestion_seconds: float = 1.0
    """From the writing of a log row to its showing up in queries."""
    alert_evaluation_seconds: float = 2.0
    """From one evaluation of an alert rule to the next."""
    event_delay_seconds: float = 0.1
    """From an event to its first delivery."""

    http_answer_seconds: float = 230.0
    """The longest that a caller of an HTTP function waits, as Azure's load balancer has it; the function goes on."""

    stepped: str = ""
    """What waits for `POST /localcloud/step` instead of the clock: operations, ingestion, alerts (commas), or all."""

    model_event_shape: str = "documented"
    """ModelRegistered's data: `documented` (ModelName, a whole number as version) or `recorded` (modelName, a text)."""
    operation_lock: str = "endpoint"
    """What one running operation blocks with 409: `endpoint` (it and all its deployments) or `resource` (itself)."""
    logs_without_setting: bool = True
    """Whether every endpoint begins with a diagnostic setting that sends all its logs; on Azure somebody makes one."""
    mirrored_rows_in_traffic_log: bool = True
    """UNCONFIRMED in Azure, so a switch."""
    quota_cores: int = 1000
    """Cores that all online deployments may hold together, at 1.2 x their instances."""
    endpoints_per_region: int = 100
    """Online and batch endpoints together. This and the next three are Azure's, which its support raises on request."""
    deployments_per_region: int = 500
    """Of all endpoints together."""
    deployments_per_endpoint: int = 20
    """The most that one endpoint can have."""
    instances_per_deployment: int = 50
    """The most that one deployment can have."""
    taken_endpoint_names: str = ""
    """Names, with commas between them, that somebody else's endpoints of the region have already."""
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
    custom_metric_dimensions: bool = False
    """Whether Application Insights' metrics keep their dimensions in the metrics store: on Azure only by opting in."""
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
            given[field.name] = _SWITCH[text.lower()] if kind is bool else kind(text)
        except (ValueError, KeyError):
            raise ValueError(f"{name}: {text!r} is not {_A[kind]}") from None
        if kind in (int, float) and not 0 <= given[field.name] < math.inf:
            raise ValueError(f"{name}: {text!r} must be 0 or more")
    settings = Settings(**given)
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    """What the types alone do not tell."""
    try:
        Pace(settings.stepped)
    except ValueError as error:
        raise ValueError(f"LOCALCLOUD_STEPPED: {error}") from None
    for name, choices in _CHOICES.items():
        if (value := getattr(settings, name)) not in choices:
            raise ValueError(f"LOCALCLOUD_{name.upper()}: {value!r} is not one of {', '.join(choices)}")
    if settings.minute_seconds == 0:
        raise ValueError("LOCALCLOUD_MINUTE_SECONDS: a minute must last, say 0.1")
