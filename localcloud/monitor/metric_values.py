"""Computes platform metrics from the traffic rows, mirrored requests included.

A grain (Azure's minute, PT1M) lasts `minute_seconds`. A request counts in the grain in which it was finished and
received, not in the one in which it started, so that a closed grain never changes and a slow request is never missed;
a grain has no value until it is closed. RequestsPerMinute is a true rate: with `minute_seconds=5`, ten requests in a
grain are 120 per minute, so the sum of its points is 60 / minute_seconds times the number of requests. Ratios of sums
(error rates) are unaffected. Over several grains Average is the mean of the grains that have a value, as in Azure: a
mean of P95s is no P95. Without a filter the value is over all requests of the resource.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from localcloud.monitor.aggregations import Summary, aggregate, single
from localcloud.monitor.capacity import CapacitySamples
from localcloud.monitor.custom_metrics import CustomMetrics
from localcloud.monitor.metric_definitions import NAMESPACES, REQUEST_RATE, Metric, namespace_of
from localcloud.monitor.metric_filter import Filter
from localcloud.monitor.store import TableStore


@dataclass(frozen=True)
class Series:
    """One combination of dimension values; only grains with a value are there."""

    dimensions: Mapping[str, str]
    grains: Mapping[int, Summary]
    """Grain number (epoch seconds / grain length) -> value."""

    def aggregated(self, aggregation: str, grains_per_point: int) -> dict[int, float]:
        """Values of points that are several grains long, by point number."""
        points: dict[int, list[Summary]] = defaultdict(list)
        for grain, value in self.grains.items():
            points[grain // grains_per_point].append(value)
        return {point: aggregate(aggregation, values) for point, values in points.items()}

    def whole(self, aggregation: str) -> float:
        """One value over all grains."""
        return aggregate(aggregation, self.grains.values())


class MetricValues:
    """Values of any metric of any resource; blocking, so call it in a thread."""

    def __init__(
        self, store: TableStore, capacity: CapacitySamples, custom: CustomMetrics, minute_seconds: float
    ) -> None:
        self._store, self._capacity, self._custom, self.grain = store, capacity, custom, minute_seconds

    def grain_of(self, epoch: float) -> int:
        """The number of the grain that a moment lies in."""
        return math.floor(epoch / self.grain)

    def open_grain(self) -> int:
        """The grain that is not closed yet."""
        return self.grain_of(self._store.clock().timestamp())

    def series(self, resource_id: str, metric: Metric, wanted: Filter, first: int, end: int) -> list[Series]:
        """All series of a metric in grains [first, end), the open grain and later ones left out."""
        end = min(end, self.open_grain())
        if first >= end:
            return []
        if metric.custom:
            found = self._custom.summaries(resource_id, metric, wanted, range(first, end), self.grain_of)
        elif metric.traffic is not None:
            found = self._traffic(resource_id.lower(), metric, wanted, first, end)
        elif metric.capacity:
            found = self._instances(resource_id.lower(), wanted, first, end)
        else:
            return []
        names = list(wanted.dimensions)
        return [
            Series(dict(zip(names, values, strict=True)), grains)
            for values, grains in sorted(found.items())
            if all(kept.keeps(value) for kept, value in zip(wanted.dimensions.values(), values, strict=True))
        ]

    def known(self, resource_id: str, namespace: str) -> Mapping[str, Metric]:
        """The metrics that a resource has in a namespace, by lower-case name; none when it has no such namespace."""
        if (platform := NAMESPACES.get(namespace.lower())) is None:
            return self._custom.known(resource_id, namespace)
        return platform if (namespace_of(resource_id) or "").lower() == namespace.lower() else {}

    def _traffic(
        self, resource_id: str, metric: Metric, wanted: Filter, first: int, end: int
    ) -> dict[tuple[str, ...], dict[int, Summary]]:
        endpoint, _, deployment = resource_id.partition("/deployments/")
        dimensions = [f"coalesce({metric.dimensions[name]}, '')" for name in wanted.dimensions]
        conditions = ['lower("_ResourceId") = ?', "_received >= ?", "_received < ?"]
        parameters: list[Any] = [endpoint, *(_timestamp(grain * self.grain) for grain in (first, end))]
        if deployment:
            conditions.append('lower("DeploymentName") = ?')
            parameters.append(deployment)
        columns = ["floor(epoch(_received) / ?)::BIGINT", *dimensions, f"({metric.traffic})::DOUBLE"]
        sql = (
            f'SELECT {", ".join(columns)} FROM rows."AmlOnlineEndpointTrafficLog" '
            f"WHERE {' AND '.join(conditions)} GROUP BY {', '.join(map(str, range(1, len(columns))))}"
        )
        scale = 60 / self.grain if metric.traffic == REQUEST_RATE else 1.0
        found: dict[tuple[str, ...], dict[int, Summary]] = defaultdict(dict)
        with closing(self._store.cursor()) as connection:
            for grain, *values, value in connection.execute(sql, [self.grain, *parameters]).fetchall():
                if value is not None:
                    found[tuple(values)][grain] = single(value * scale)
        return found

    def _instances(
        self, resource_id: str, wanted: Filter, first: int, end: int
    ) -> dict[tuple[str, ...], dict[int, Summary]]:
        found: dict[tuple[str, ...], dict[int, Summary]] = defaultdict(dict)
        for sample in self._capacity.between(resource_id, first * self.grain, end * self.grain):
            grain = self.grain_of(sample.epoch)
            if "instanceId" not in wanted.dimensions:
                key = tuple(sample.state for _ in wanted.dimensions)
                found[key][grain] = single(float(sample.instances))
                continue
            for number in range(sample.instances):
                values = {"instanceId": f"instance-{number}", "State": sample.state}
                found[tuple(values[name] for name in wanted.dimensions)][grain] = single(1.0)
        return found


def _timestamp(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC).replace(tzinfo=None)
