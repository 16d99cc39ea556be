"""Custom metrics: `POST {resource}/metrics` of monitoring.azure.com, kept for ARM's metrics route and metric alerts.

The rules of facts/logs.md section 4: a time from 20 minutes ago to 5 minutes ahead (real minutes: times are never
scaled), at most ten dimensions, pre-aggregated values. What a good call is answered with beyond its 200 is UNCONFIRMED.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from localcloud.monitor.aggregations import Summary, merged
from localcloud.monitor.metric_definitions import Metric
from localcloud.monitor.metric_filter import Filter
from localcloud.monitor.timespans import moment
from localcloud.seams import Json

_OLDEST, _NEWEST = timedelta(minutes=20), timedelta(minutes=5)
_MOST_DIMENSIONS = 10
AGGREGATIONS = ("Average", "Minimum", "Maximum", "Total", "Count")


@dataclass(frozen=True)
class Point:
    """One pre-aggregated value."""

    epoch: float
    dimensions: Mapping[str, str]
    summary: Summary


@dataclass
class _Kept:
    metric: Metric
    points: deque[Point] = field(default_factory=deque)


class CustomMetrics:
    """All custom metrics of all resources."""

    def __init__(self, clock: Callable[[], datetime], kept: timedelta) -> None:
        self._clock, self._kept = clock, kept
        self._metrics: dict[tuple[str, str, str], _Kept] = {}

    def publish(self, resource_id: str, body: Json) -> None:
        """Take one document; ValueError names what is wrong with it."""
        now = self._clock()
        when = moment(str(_needed(body, "time")))
        if not now - _OLDEST <= when <= now + _NEWEST:
            raise ValueError("time: only from 20 minutes ago to 5 minutes ahead")
        base = _needed(_needed(body, "data"), "baseData")
        name, namespace = str(_needed(base, "metric")), str(_needed(base, "namespace"))
        dimensions = [str(dimension) for dimension in base.get("dimNames") or ()]
        if len(dimensions) > _MOST_DIMENSIONS:
            raise ValueError(f"dimNames: at most {_MOST_DIMENSIONS} dimensions")
        points = [_point(when, dimensions, series) for series in _needed(base, "series")]
        kept = self._metrics.setdefault((resource_id.lower(), namespace.lower(), name.lower()), _Kept(Metric(name, "")))
        known = {**kept.metric.dimensions, **dict.fromkeys(dimensions)}
        kept.metric = Metric(name, "Unspecified", AGGREGATIONS, known, custom=namespace)
        kept.points.extend(points)
        while kept.points and kept.points[0].epoch < (now - self._kept).timestamp():
            kept.points.popleft()

    def known(self, resource_id: str, namespace: str) -> dict[str, Metric]:
        """The metrics of one resource in one namespace, by lower-case name."""
        place = (resource_id.lower(), namespace.lower())
        return {key[2]: kept.metric for key, kept in list(self._metrics.items()) if key[:2] == place}

    def summaries(
        self, resource_id: str, metric: Metric, wanted: Filter, grains: range, grain_of: Callable[[float], int]
    ) -> dict[tuple[str, ...], dict[int, Summary]]:
        """Values by the wanted dimensions and by grain."""
        kept = self._metrics.get((resource_id.lower(), metric.custom.lower(), metric.name.lower()))
        gathered: dict[tuple[str, ...], dict[int, list[Summary]]] = defaultdict(lambda: defaultdict(list))
        for point in list(kept.points) if kept else ():
            if (grain := grain_of(point.epoch)) in grains:
                values = {name.lower(): value for name, value in point.dimensions.items()}
                key = tuple(values.get(name.lower(), "") for name in wanted.dimensions)
                gathered[key][grain].append(point.summary)
        return {key: {grain: merged(found) for grain, found in by.items()} for key, by in gathered.items()}


def _point(when: datetime, names: list[str], series: Json) -> Point:
    values = [str(value) for value in series.get("dimValues") or ()]
    if len(values) != len(names):
        raise ValueError("series: one of dimValues for each of dimNames is needed")
    least, most, total, count = _numbers(_needed(series, name) for name in ("min", "max", "sum", "count"))
    return Point(when.timestamp(), dict(zip(names, values, strict=True)), Summary(least, most, total, count))


def _numbers(values: Iterable[Any]) -> list[float]:
    try:
        return [float(value) for value in values]
    except TypeError as error:
        raise ValueError(f"series: {error}") from error


def _needed(of: Any, name: str) -> Any:
    if not isinstance(of, dict) or name not in of:
        raise ValueError(f"{name} is needed")
    return of[name]
