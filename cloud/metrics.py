"""Platform metrics of Azure Monitor, by resource: points at one-minute grain for each combination of dimensions.

Needs Monitoring Reader on the subscription. A missing point is "no data", never 0. The SDK's class drops a metric's own
error code, so a metric that fails looks empty here: nothing may be concluded from no series.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cloud.errors import mapped

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.monitor.querymetrics import MetricsClient

ENDPOINT_NAMESPACE = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
GRAIN = timedelta(minutes=1)
MOST_SERIES = 1000
"""The service answers ten series unless asked for more, and has no pages."""


@dataclass(frozen=True)
class Series:
    """One combination of dimension values (names in lower case) and its points by minute; missing ones are left out."""

    dimensions: Mapping[str, str]
    points: Mapping[datetime, float]


class Metrics:
    """`url` is the regional data plane; `{region}` in it is filled in for each call."""

    def __init__(self, url: str, credential: TokenCredential) -> None:
        self._url, self._credential = url, credential
        self._clients: dict[str, MetricsClient] = {}

    def averages(
        self, region: str, endpoint_id: str, metric: str, since: datetime, until: datetime, *, split_by: tuple[str, ...]
    ) -> tuple[Series, ...]:
        """The minute averages of one online-endpoint metric in [since, until), split by these dimensions."""
        every = " and ".join(f"{dimension} eq '*'" for dimension in split_by)
        with mapped(f"reading metric {metric}"):
            results = self._client(region).query_resources(
                resource_ids=[endpoint_id],
                metric_namespace=ENDPOINT_NAMESPACE,
                metric_names=[metric],
                timespan=(since, until),
                granularity=GRAIN,
                aggregations=["Average"],
                filter=every or None,
                max_results=MOST_SERIES,
            )
        return tuple(
            Series(
                {name.lower(): value for name, value in series.metadata_values.items()},
                {point.timestamp: point.average for point in series.data if point.average is not None},
            )
            for result in results
            for one in result.metrics
            for series in one.timeseries
        )

    def _client(self, region: str) -> MetricsClient:
        url = self._url.format(region=region)
        if url not in self._clients:
            from azure.monitor.querymetrics import MetricsClient

            self._clients[url] = MetricsClient(url, self._credential)
        return self._clients[url]
