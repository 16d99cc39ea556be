"""Which platform metrics an online endpoint and a deployment have: names, units, aggregations, dimensions.

The names are Azure's (facts/logs.md section 3). A metric without a source here (processor, memory, network) exists and
is always without data, as it is in Azure on the first minutes of a deployment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ENDPOINT_NAMESPACE = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
DEPLOYMENT_NAMESPACE = f"{ENDPOINT_NAMESPACE}/deployments"

_DEPLOYMENT = {"deployment": '"DeploymentName"'}
_CODES = {
    **_DEPLOYMENT,
    "statusCode": '"ResponseCode"::VARCHAR',
    "statusCodeClass": "(\"ResponseCode\" // 100)::VARCHAR || 'xx'",
    "modelStatusCode": '"ModelStatusCode"::VARCHAR',
}
REQUEST_RATE = "count(*)"
"""Scaled to a rate per minute where it is computed."""


@dataclass(frozen=True)
class Metric:
    """One metric of a namespace."""

    name: str
    unit: str
    aggregations: tuple[str, ...] = ("Average",)
    dimensions: Mapping[str, str | None] = field(default_factory=dict)
    """Dimension -> SQL over the traffic rows (None: the metric does not come from them)."""
    traffic: str | None = None
    """SQL of one grain's value over the traffic rows."""
    custom: str = ""
    """The namespace of a custom metric."""
    capacity: bool = False
    """Whether it is the sampled number of instances."""


def _latency(percentile: int) -> str:
    return f'quantile_disc("TotalDurationMs", {percentile / 100})'


def _named(*metrics: Metric) -> dict[str, Metric]:
    return {metric.name.lower(): metric for metric in metrics}


_ALL = ("Average", "Minimum", "Maximum")
_INSTANCE: Mapping[str, str | None] = {"instanceId": None}

ENDPOINT_METRICS = _named(
    Metric("RequestLatency", "MilliSeconds", dimensions=_DEPLOYMENT, traffic='avg("TotalDurationMs")'),
    *(
        Metric(f"RequestLatency_P{p}", "MilliSeconds", dimensions=_DEPLOYMENT, traffic=_latency(p))
        for p in (50, 90, 95, 99)
    ),
    Metric("RequestsPerMinute", "Count", dimensions=_CODES, traffic=REQUEST_RATE),
    Metric("ConnectionsActive", "Count"),
    Metric("NewConnectionsPerSecond", "CountPerSecond"),
    Metric("NetworkBytes", "BytesPerSecond"),
    Metric("DataCollectionErrorsPerMinute", "Count", _ALL, dict.fromkeys(("deployment", "reason", "type"))),
    Metric("DataCollectionEventsPerMinute", "Count", _ALL, dict.fromkeys(("deployment", "type"))),
)
DEPLOYMENT_METRICS = _named(
    *(Metric(f"RequestLatency_P{p}", "MilliSeconds", traffic=_latency(p)) for p in (50, 90, 95, 99)),
    Metric(
        "RequestsPerMinute",
        "Count",
        dimensions={"envoy_response_code": '"ResponseCode"::VARCHAR'},
        traffic=REQUEST_RATE,
    ),
    Metric("DeploymentCapacity", "Count", _ALL, dict.fromkeys(("instanceId", "State")), capacity=True),
    *(
        Metric(f"{name}UtilizationPercentage", "Percent", _ALL, _INSTANCE)
        for name in ("Cpu", "CpuMemory", "Gpu", "GpuMemory")
    ),
    Metric("DiskUtilization", "Percent", _ALL, dict.fromkeys(("instanceId", "disk"))),
    Metric("GpuEnergyJoules", "Count", _ALL, _INSTANCE),
    Metric("DataCollectionErrorsPerMinute", "Count", _ALL, dict.fromkeys(("instanceId", "reason", "type"))),
    Metric("DataCollectionEventsPerMinute", "Count", _ALL, dict.fromkeys(("instanceId", "type"))),
)
NAMESPACES: Mapping[str, Mapping[str, Metric]] = {
    ENDPOINT_NAMESPACE.lower(): ENDPOINT_METRICS,
    DEPLOYMENT_NAMESPACE.lower(): DEPLOYMENT_METRICS,
}


def namespace_of(resource_id: str) -> str | None:
    """The metric namespace of an ARM id; None for a resource that has no metrics here."""
    segments = resource_id.lower().strip("/").split("/")
    if len(segments) == 10 and segments[8] == "onlineendpoints":
        return ENDPOINT_NAMESPACE
    if len(segments) == 12 and segments[8] == "onlineendpoints" and segments[10] == "deployments":
        return DEPLOYMENT_NAMESPACE
    return None
