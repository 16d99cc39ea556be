"""The common alert schema, as action groups post it: the fields of facts/functions.md section 3 and no others.

Optional fields that Microsoft's samples do not agree on (`alertRuleID`, `investigationLink`, `targetResourceType`) are
left out, so that nobody comes to rely on them here.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from localcloud.monitor.alert_conditions import Measured
from localcloud.monitor.alert_rules import Criterion, Rule
from localcloud.monitor.alert_state import Change
from localcloud.monitor.timespans import stamp
from localcloud.seams import Json


@dataclass(frozen=True)
class Notice:
    """One change of one alert instance, with what it takes to describe it."""

    rule: Rule
    change: Change
    alert_id: str
    fired_at: datetime
    now: datetime
    window: tuple[datetime, datetime]
    measured: tuple[Measured, ...]
    """As last seen; a resolved alert without data keeps the values that it fired with."""
    target: str | None


def payload(notice: Notice) -> Json:
    """The body of the webhook call."""
    rule = notice.rule
    context: Json = {
        "properties": dict(rule.context_properties) or None,
        "conditionType": "LogQueryCriteria" if rule.of_logs else "SingleResourceMultipleMetricCriteria",
        "condition": {
            "windowSize": _iso(rule),
            "allOf": [
                (_log_line if rule.of_logs else _metric_line)(rule, line, seen)
                for line, seen in zip(rule.criteria, notice.measured, strict=True)
            ],
            "windowStartTime": stamp(notice.window[0]),
            "windowEndTime": stamp(notice.window[1]),
        },
    }
    data: Json = {"essentials": _essentials(notice), "alertContext": context}
    if rule.custom_properties:
        data["customProperties"] = dict(rule.custom_properties)
    return {"schemaId": "azureMonitorCommonAlertSchema", "data": data}


def _essentials(notice: Notice) -> Json:
    rule = notice.rule
    target = (notice.target or rule.scopes[0]).lower()
    segments = rule.id.strip("/").split("/")
    subscription, group = segments[1], segments[3]
    essentials: Json = {
        "alertId": f"/subscriptions/{subscription}/providers/Microsoft.AlertsManagement/alerts/{notice.alert_id}",
        "alertRule": rule.name,
        "severity": f"Sev{rule.severity}",
        "signalType": "Log" if rule.of_logs else "Metric",
        "monitorCondition": notice.change,
        "monitoringService": "Log Alerts V2" if rule.of_logs else "Platform",
        "alertTargetIDs": [target],
        "originAlertId": notice.alert_id if rule.of_logs else _origin(subscription, group, notice),
        "firedDateTime": stamp(notice.fired_at),
        "description": rule.description,
        "essentialsVersion": "1.0",
        "alertContextVersion": "1.0",
    }
    if not rule.of_logs:  # samples of log alerts have neither
        essentials["configurationItems"] = [target.rsplit("/", 1)[-1]]
        if notice.change == "Resolved":
            essentials["resolvedDateTime"] = stamp(notice.now)
    return essentials


def _origin(subscription: str, group: str, notice: Notice) -> str:
    number = zlib.crc32(repr([dict(seen.dimensions) for seen in notice.measured]).encode())
    return f"{subscription}_{group}_microsoft.insights_metricAlerts_{notice.rule.name}_-{number}"


def _metric_line(_: Rule, line: Criterion, seen: Measured) -> Json:
    assert line.metric is not None
    return {
        "metricName": line.metric.name,
        "metricNamespace": line.namespace,
        "operator": line.operator,
        "threshold": _number(line.threshold),
        "timeAggregation": line.aggregation,
        "dimensions": _dimensions(seen.dimensions),
        "metricValue": seen.value,
    }


def _log_line(rule: Rule, line: Criterion, seen: Measured) -> Json:
    link = f"https://portal.azure.com/#logs{rule.scopes[0]}"
    return {
        "searchQuery": line.query,
        "metricMeasureColumn": line.measure or None,
        "targetResourceTypes": f"['{_resource_type(rule.scopes[0])}']",
        "operator": line.operator,
        "threshold": _number(line.threshold),
        "timeAggregation": line.aggregation,
        "dimensions": _dimensions(seen.dimensions),
        "metricValue": seen.value,
        "failingPeriods": {
            "numberOfEvaluationPeriods": line.periods[0],
            "minFailingPeriodsToAlert": line.periods[1],
        },
        "linkToSearchResultsUI": link,
        "linkToFilteredSearchResultsUI": link,
        "linkToSearchResultsAPI": link,
        "linkToFilteredSearchResultsAPI": link,
    }


def _dimensions(values: Mapping[str, str]) -> list[Json]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _resource_type(scope: str) -> str:
    segments = scope.strip("/").split("/")
    return "/".join(segments[5:7]) if len(segments) >= 8 else ""


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _iso(rule: Rule) -> str:
    minutes = int(rule.window.total_seconds() // 60)
    if minutes % 1440 == 0:
        return f"P{minutes // 1440}D"
    return f"PT{minutes // 60}H" if minutes % 60 == 0 else f"PT{minutes}M"
