"""Alert rules as Azure Resource Manager takes them, read into what is evaluated.

Only what the evaluation here honours is accepted: dynamic thresholds and several log criteria are refused with 501
instead of being ignored, because an alert rule that silently does less is worse than none.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from localcloud.monitor.custom_metrics import AGGREGATIONS
from localcloud.monitor.metric_definitions import NAMESPACES, Metric, namespace_of
from localcloud.monitor.metric_filter import Kept
from localcloud.monitor.timespans import duration
from localcloud.seams import AzureError, Json

OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "equals": operator.eq,
    "equal": operator.eq,
    "greaterthan": operator.gt,
    "greaterthanorequal": operator.ge,
    "lessthan": operator.lt,
    "lessthanorequal": operator.le,
}
_MINUTE = timedelta(minutes=1)
#: The only ones that a metric alert takes.
_METRIC_FREQUENCIES = "PT1M PT5M PT15M PT30M PT1H"
_METRIC_WINDOWS = f"{_METRIC_FREQUENCIES} PT6H PT12H P1D"


@dataclass(frozen=True)
class Criterion:
    """One line of a rule: an aggregated number against a threshold, for each combination of dimension values."""

    operator: str
    threshold: float
    aggregation: str
    dimensions: Mapping[str, Kept]
    metric: Metric | None = None
    namespace: str = ""
    query: str = ""
    measure: str = ""
    """Column of the query's result; empty: the rows are counted."""
    resource_column: str = ""
    """Column of the query's result that names the alert's target."""
    periods: tuple[int, int] = (1, 1)
    """Of so many evaluations, so many have to be over the threshold."""

    def met(self, value: float) -> bool:
        """Whether a value is on the alerting side of the threshold."""
        return OPERATORS[self.operator.lower()](value, self.threshold)


@dataclass(frozen=True)
class Rule:
    """A metric alert or a scheduled query rule."""

    id: str
    kind: str
    """metricAlerts or scheduledQueryRules."""
    name: str
    enabled: bool
    description: str
    severity: int
    scopes: tuple[str, ...]
    criteria: tuple[Criterion, ...]
    window: timedelta
    frequency: timedelta
    stateful: bool
    mute: timedelta
    """How long a stateless rule stays silent after it fired."""
    time_to_resolve: timedelta | None
    """How long a log rule has to be clean; None for the documented time."""
    action_groups: tuple[str, ...]
    """ARM ids, lower case."""
    validated: bool
    """Whether a log rule's query has to be one that can be answered; `skipQueryValidation` says no."""
    custom_properties: Mapping[str, str]
    """What stands at `data.customProperties` of a metric alert."""
    context_properties: Mapping[str, str]
    """What stands at `alertContext.properties`: a log rule's custom properties, a metric rule's webHookProperties."""

    @property
    def of_logs(self) -> bool:
        """Whether it is a log search alert."""
        return self.kind == "scheduledQueryRules"


def read(kind: str, rule_id: str, name: str, body: Json) -> Rule:
    """A rule from its PUT body; AzureError 400 names the property that is wrong."""
    properties = body.get("properties") or {}
    try:
        return (_log_rule if kind == "scheduledQueryRules" else _metric_rule)(rule_id, name, properties)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        what = f"the property {error} is needed" if isinstance(error, KeyError) else str(error)
        raise AzureError(400, "BadRequest", f"{kind}/{name}: {what}") from error


def _metric_rule(rule_id: str, name: str, properties: Json) -> Rule:
    criteria = properties["criteria"]
    scopes = tuple(str(scope) for scope in properties["scopes"])
    if len(scopes) != 1:
        raise ValueError("scopes: online endpoints take exactly one (no multi-resource metric alerts)")
    _lasts("evaluationFrequency", properties, _METRIC_FREQUENCIES)
    _lasts("windowSize", properties, _METRIC_WINDOWS)
    for line in criteria["allOf"]:
        if line.get("criterionType", "StaticThresholdCriterion") != "StaticThresholdCriterion":
            raise AzureError(501, "LocalStandInUnsupported", "dynamic thresholds are not evaluated by the local Azure")
    validated = not properties.get("skipMetricValidation", False)
    actions = properties.get("actions") or []
    of_webhooks: dict[str, str] = {}
    for action in actions:
        of_webhooks |= action.get("webHookProperties") or {}
    return Rule(
        id=rule_id,
        kind="metricAlerts",
        scopes=scopes,
        criteria=_several([_metric_criterion(scopes[0], line, validated) for line in criteria["allOf"]]),
        stateful=bool(properties.get("autoMitigate", True)),
        mute=timedelta(),
        time_to_resolve=None,
        action_groups=tuple(str(action["actionGroupId"]).lower() for action in actions),
        validated=False,
        custom_properties=dict(properties.get("customProperties") or {}),
        context_properties=of_webhooks,
        **_common(name, properties),
    )


def _log_rule(rule_id: str, name: str, properties: Json) -> Rule:
    lines = properties["criteria"]["allOf"]
    if len(lines) != 1:
        raise ValueError("criteria.allOf: a scheduled query rule has exactly one condition")
    line = lines[0]
    periods = line.get("failingPeriods") or {}
    criterion = Criterion(
        operator=_operator(line["operator"]),
        threshold=float(line["threshold"]),
        aggregation=_one_of("timeAggregation", line["timeAggregation"], "Count Average Minimum Maximum Total"),
        dimensions=_dimensions(line),
        query=str(line["query"]),
        measure=str(line.get("metricMeasureColumn") or ""),
        resource_column=str(line.get("resourceIdColumn") or ""),
        periods=(int(periods.get("numberOfEvaluationPeriods", 1)), int(periods.get("minFailingPeriodsToAlert", 1))),
    )
    if criterion.aggregation.lower() != "count" and not criterion.measure:
        raise ValueError("metricMeasureColumn is needed with every timeAggregation but Count")
    actions = properties.get("actions") or {}
    return Rule(
        id=rule_id,
        kind="scheduledQueryRules",
        scopes=tuple(str(scope) for scope in properties["scopes"]),
        criteria=(criterion,),
        **_silence(properties),
        action_groups=tuple(str(group).lower() for group in actions.get("actionGroups") or ()),
        validated=not properties.get("skipQueryValidation", False),
        custom_properties={},
        context_properties=dict(actions.get("customProperties") or {}),
        **_common(name, properties),
    )


def _silence(properties: Json) -> dict[str, Any]:
    """When a log rule is silent: `autoMitigate` (stateful), `muteActionsDuration` (stateless rules only) and
    `resolveConfiguration.timeToResolve`."""
    stateful = bool(properties.get("autoMitigate", True))
    mute = properties.get("muteActionsDuration")
    if mute and stateful:
        raise ValueError(
            "muteActionsDuration: only with autoMitigate false; a stateful alert is silent until it resolves"
        )
    resolve = properties.get("resolveConfiguration") or {}
    to_resolve = resolve.get("timeToResolve") if resolve.get("autoResolved", True) else None
    return {
        "stateful": stateful,
        "mute": duration(str(mute)) if mute else timedelta(),
        "time_to_resolve": duration(str(to_resolve)) if to_resolve else None,
    }


def _common(name: str, properties: Json) -> dict[str, Any]:
    window, frequency = duration(properties["windowSize"]), duration(properties["evaluationFrequency"])
    if frequency < _MINUTE or window < _MINUTE:
        raise ValueError("evaluationFrequency and windowSize: one minute (PT1M) is the shortest")
    severity = int(properties.get("severity", 3))
    if not 0 <= severity <= 4:
        raise ValueError("severity: from 0 to 4")
    return {
        "name": name,
        "enabled": bool(properties.get("enabled", True)),
        "description": str(properties.get("description") or ""),
        "severity": severity,
        "window": window,
        "frequency": frequency,
    }


def _lasts(name: str, properties: Json, allowed: str) -> None:
    """PT60M is as good as PT1H."""
    if duration(properties[name]) not in [duration(one) for one in allowed.split()]:
        raise ValueError(f"{name}: {properties[name]} is not one of {allowed}")


def _metric_criterion(scope: str, line: Json, validated: bool) -> Criterion:
    namespace = str(line.get("metricNamespace") or namespace_of(scope) or "")
    metric = NAMESPACES.get(namespace.lower(), {}).get(str(line["metricName"]).lower())
    if namespace and namespace.lower() not in NAMESPACES:  # a custom metric, which may not have been sent yet
        metric = Metric(str(line["metricName"]), "Unspecified", AGGREGATIONS, custom=namespace)
        validated = False
    if metric is None:
        if validated:
            raise ValueError(f"there is no metric {line['metricName']} in the namespace {namespace!r}")
        metric = Metric(str(line["metricName"]), "Count", ("Average", "Minimum", "Maximum", "Total", "Count"))
    aggregation = _one_of("timeAggregation", line["timeAggregation"], " ".join(metric.aggregations))
    spelling = {known.lower(): known for known in metric.dimensions}
    dimensions = {spelling.get(name.lower(), name): kept for name, kept in _dimensions(line).items()}
    if unknown := dimensions.keys() - metric.dimensions.keys() if validated else set():
        raise ValueError(f"{metric.name} has no dimension {', '.join(sorted(unknown))}")
    return Criterion(
        operator=_operator(line["operator"]),
        threshold=float(line["threshold"]),
        aggregation=aggregation,
        dimensions=dimensions,
        metric=metric,
        namespace=namespace,
    )


def _dimensions(line: Json) -> dict[str, Kept]:
    found: dict[str, Kept] = {}
    for dimension in line.get("dimensions") or ():
        values = frozenset(str(value).lower() for value in dimension["values"])
        kind = _one_of("dimensions.operator", dimension["operator"], "Include Exclude")
        found[str(dimension["name"])] = Kept(equal=values) if kind == "Include" else Kept(not_equal=values)
    return found


def _several(criteria: list[Criterion]) -> tuple[Criterion, ...]:
    if not 1 <= len(criteria) <= 5:
        raise ValueError("criteria.allOf: from one to five conditions")
    return tuple(criteria)


def _operator(name: object) -> str:
    return _one_of("operator", name, "Equals GreaterThan GreaterThanOrEqual LessThan LessThanOrEqual Equal")


def _one_of(what: str, value: object, allowed: str) -> str:
    for name in allowed.split():
        if name.lower() == str(value).lower():
            return name
    raise ValueError(f"{what}: {value} is not one of {allowed}")
