"""The metrics APIs: `POST /subscriptions/S/metrics:getBatch` and `GET {resource}/providers/Microsoft.Insights/metrics`.

Shapes of facts/logs.md section 3: a gap is a point without a value, an unknown dimension value or a range in the future
is an empty `timeseries`, dimension names come back in lower case, and at most `top` series (ten) are given. Custom
metrics are taken here too, and read by the second route only: the batch API does not have them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from aiohttp import web

from localcloud.faults import Faults
from localcloud.monitor import metric_filter
from localcloud.monitor.bearer import require_bearer
from localcloud.monitor.custom_metrics import CustomMetrics
from localcloud.monitor.metric_definitions import NAMESPACES, Metric, namespace_of
from localcloud.monitor.metric_values import MetricValues, Series
from localcloud.monitor.timespans import duration, interval, moment, stamp
from localcloud.seams import AzureError, Json, utc_now

_MOST_RESOURCES = 50
_MOST_POINTS = 100_000


@dataclass(frozen=True)
class Question:
    """What one request asks of each resource."""

    names: tuple[str, ...]
    aggregations: tuple[str, ...]
    filter: str
    interval: str
    start: datetime
    end: datetime
    top: int
    errors: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Lower-case name of a metric that cannot be read -> errorCode and errorMessage, by order of a fault."""
    gaps: Mapping[str, int | None] = field(default_factory=dict)
    """Lower-case name of a metric without values -> in how many of the newest minutes; None for all."""

    @property
    def grains(self) -> int:
        """Azure minutes in one point."""
        minutes = duration(self.interval) / timedelta(minutes=1)
        if minutes < 1 or minutes != int(minutes):
            raise ValueError(f"the interval {self.interval} is not a whole number of minutes")
        return int(minutes)


class MetricsApi:
    """Both metrics routes."""

    def __init__(self, region: str, values: MetricValues, custom: CustomMetrics, faults: Faults) -> None:
        self._region, self._values, self._custom, self._faults = region, values, custom, faults

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Both routes; ARM segment names match in any case."""
        router.add_post("/subscriptions/{subscription}/metrics:getBatch", self.get_batch)
        router.add_get(
            "/subscriptions/{resource:.+}/{p:(?i:providers)}/{i:(?i:microsoft\\.insights)}/{m:(?i:metrics)}",
            self.get_one,
        )
        router.add_post("/{resource:subscriptions/.+/providers/.+}/metrics", self.publish)

    async def get_batch(self, request: web.Request) -> web.Response:
        """Metrics of up to fifty resources of one type."""
        require_bearer(request)
        query = request.query
        body = await request.json()
        resources = [str(resource) for resource in body.get("resourceids", [])]
        if not 0 < len(resources) <= _MOST_RESOURCES:
            raise AzureError(400, "BadRequest", f"between 1 and {_MOST_RESOURCES} resource ids are needed")
        subscription = f"/subscriptions/{request.match_info['subscription']}/".lower()
        if not all(resource.lower().startswith(subscription) for resource in resources):
            raise AzureError(400, "BadRequest", "all resources of a batch must belong to the subscription of its path")
        now = utc_now()
        with_times = "starttime" in query
        try:
            end = moment(query["endtime"]) if query.get("endtime") else now
            start = moment(query["starttime"]) if with_times else end - timedelta(hours=1)
            if query.get("metricnamespace", "").lower() not in NAMESPACES:
                raise ValueError(
                    f"metricnamespace: {query.get('metricnamespace')!r} is no namespace of platform metrics"
                )
            question = self._strike(_question(query, start, end))
            answers = [
                await asyncio.to_thread(self._answer, resource, query.get("metricnamespace", ""), question)
                for resource in resources
            ]
        except ValueError as error:
            raise AzureError(400, "BadRequest", str(error)) from error
        return web.json_response({"values": answers})

    async def get_one(self, request: web.Request) -> web.Response:
        """Metrics of one resource by ARM; its errors stand without the `error` wrapper."""
        require_bearer(request)
        query = request.query
        resource = "/subscriptions/" + request.match_info["resource"]
        try:
            start, end = interval(query.get("timespan", "PT1H"), utc_now())
            question = self._strike(_question(query, start, end))
            answer = await asyncio.to_thread(self._answer, resource, query.get("metricnamespace", ""), question)
        except ValueError as error:
            return web.json_response({"code": "BadRequest", "message": str(error)}, status=400)
        answer["timespan"] = f"{answer.pop('starttime')}/{answer.pop('endtime')}"
        del answer["resourceid"]
        return web.json_response(answer)

    async def publish(self, request: web.Request) -> web.Response:
        """Take one custom metric document."""
        require_bearer(request)
        try:
            self._custom.publish("/" + request.match_info["resource"], await request.json())
        except ValueError as error:
            raise AzureError(400, "BadRequest", str(error)) from error
        return web.json_response({})

    def _strike(self, question: Question) -> Question:
        """The question with the faults that were set for its metrics. Alert rules are not struck."""
        errors: dict[str, tuple[str, str]] = {}
        gaps: dict[str, int | None] = {}
        for name in question.names:
            if (error := self._faults.take("metric.error_code", name)) is not None:
                message = error.get("message", "Query was throttled by the backend.")
                errors[name.lower()] = (str(error.get("code", "InternalError")), str(message))
            if (gap := self._faults.take("metric.gap", name)) is not None:
                gaps[name.lower()] = int(gap["minutes"]) if "minutes" in gap else None
        return replace(question, errors=errors, gaps=gaps)

    def _answer(self, resource_id: str, namespace: str, question: Question) -> Json:
        namespace = namespace or namespace_of(resource_id) or ""
        known = self._values.known(resource_id, namespace)
        if not known:
            raise ValueError(f"the resource {resource_id} has no metrics in the namespace {namespace!r}")
        metrics = [_metric(known, name) for name in question.names]
        return {
            "cost": 0,
            "starttime": stamp(question.start),
            "endtime": stamp(question.end),
            "interval": question.interval,
            "namespace": namespace,
            "resourceregion": self._region,
            "resourceid": resource_id,
            "value": [self._metric_body(resource_id, metric, question) for metric in metrics],
        }

    def _metric_body(self, resource_id: str, metric: Metric, question: Question) -> Json:
        wrong = [name for name in question.aggregations if name.lower() not in map(str.lower, metric.aggregations)]
        if wrong:
            raise ValueError(f"{metric.name} has no aggregation {wrong[0]}; it has {', '.join(metric.aggregations)}")
        wanted = metric_filter.parse(question.filter, metric.dimensions)
        first, last = (self._values.grain_of(time.timestamp()) for time in (question.start, question.end))
        first -= first % question.grains
        if (last - first) / question.grains > _MOST_POINTS:
            raise ValueError("the range has too many points; ask for a shorter one or a longer interval")
        code, message = question.errors.get(metric.name.lower(), ("Success", ""))
        series = [] if message else self._values.series(resource_id, metric, wanted, first, last + 1)
        series.sort(key=lambda one: -max(summary.maximum for summary in one.grains.values()))
        if metric.name.lower() in question.gaps:
            series = [self._with_gap(one, question.gaps[metric.name.lower()]) for one in series]
        body: Json = {
            "id": f"{resource_id}/providers/Microsoft.Insights/metrics/{metric.name}",
            "type": "Microsoft.Insights/metrics",
            "name": {"value": metric.name, "localizedValue": metric.name},
            "displayDescription": metric.name,
            "unit": metric.unit,
            "errorCode": code,
            "timeseries": [self._series_body(one, question, first, last) for one in series[: question.top]],
        }
        return body | {"errorMessage": message} if message else body

    def _with_gap(self, series: Series, minutes: int | None) -> Series:
        """The series without its newest minutes, or without any value."""
        before = 0 if minutes is None else self._values.open_grain() - minutes
        return replace(series, grains={grain: value for grain, value in series.grains.items() if grain < before})

    def _series_body(self, series: Series, question: Question, first: int, last: int) -> Json:
        values = {
            aggregation.lower(): series.aggregated(aggregation, question.grains)
            for aggregation in question.aggregations
        }
        last = min(last, self._values.open_grain())
        data: list[Json] = []
        for point in range(first // question.grains, last // question.grains + 1):
            when = datetime.fromtimestamp(point * question.grains * self._values.grain, UTC)
            if when >= question.end:
                break
            found = {name: points[point] for name, points in values.items() if point in points}
            data.append({"timeStamp": stamp(when), **found})
        dimensions = [
            {"name": {"value": name.lower(), "localizedValue": name.lower()}, "value": value}
            for name, value in series.dimensions.items()
        ]
        return {"metadatavalues": dimensions, "data": data}


def _metric(known: Mapping[str, Metric], name: str) -> Metric:
    metric = known.get(name.lower())
    if metric is None:
        valid = ", ".join(one.name for one in known.values())
        raise ValueError(f"Failed to find metric configuration for metric: {name}. Valid metrics: {valid}")
    return metric


def _question(query: Mapping[str, str], start: datetime, end: datetime) -> Question:
    if end < start:
        raise ValueError("the end of the range lies before its start")
    question = Question(
        names=_listed(query.get("metricnames", "")),
        aggregations=_listed(query.get("aggregation", "")) or ("Average",),
        filter=query.get("filter") or query.get("$filter") or "",
        interval=query.get("interval") or "PT1M",
        start=start,
        end=end,
        top=int(query.get("top") or query.get("$top") or 10),
    )
    if not question.names or question.grains < 1:
        raise ValueError("metricnames is needed")
    return question


def _listed(text: str) -> tuple[str, ...]:
    parts: Sequence[str] = text.split(",")
    return tuple(part.strip() for part in parts if part.strip())
