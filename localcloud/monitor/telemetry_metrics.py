"""Application Insights' metrics in the metrics store, beside their rows in AppMetrics.

The store keeps them on the component under `azure.applicationinsights` (or the namespace that the sender opted into)
and drops their dimensions unless the component is set to keep them: `custom_metric_dimensions`.
"""

from __future__ import annotations

from collections.abc import Iterator

from localcloud.seams import Json

NAMESPACE = "azure.applicationinsights"
_MOST_DIMENSIONS = 10


def documents(envelope: Json, time: str, with_dimensions: bool) -> Iterator[Json]:
    """The custom metric documents of one telemetry envelope; none when it is about something else."""
    data = envelope.get("data") or {}
    base = data.get("baseData") or {}
    if data.get("baseType") != "MetricData":
        return
    properties: Json = base.get("properties") or {}
    dimensions = list(properties.items())[:_MOST_DIMENSIONS] if with_dimensions else []
    for point in base.get("metrics") or ():
        value = point["value"]
        series = {
            "dimValues": [text for _, text in dimensions],
            "min": point["min"] if point.get("min") is not None else value,
            "max": point["max"] if point.get("max") is not None else value,
            "sum": value,
            "count": point.get("count") or 1,
        }
        written = {
            "metric": point["name"],
            "namespace": point.get("ns") or NAMESPACE,
            "dimNames": [name for name, _ in dimensions],
            "series": [series],
        }
        yield {"time": time, "data": {"baseData": written}}
