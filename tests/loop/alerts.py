"""Alerts as Azure Monitor's action groups post them: the common alert schema (facts: functions.md, section 3)."""

from __future__ import annotations

import copy
import uuid
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
LOG_WORKSPACE = "/subscriptions/s/resourcegroups/rg/providers/microsoft.operationalinsights/workspaces/law"


def metric_alert(target: str, *, rule: str = "too-many-errors") -> Json:
    """A metric alert on one resource, fired now. Target ids come in lower case."""
    condition = {
        "metricName": "RequestsPerMinute",
        "metricNamespace": "Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
        "operator": "GreaterThan",
        "threshold": "5",
        "timeAggregation": "Average",
        "dimensions": [{"name": "statusCodeClass", "value": "5xx"}],
        "metricValue": 7.7,
    }
    context = {
        "properties": None,
        "conditionType": "SingleResourceMultipleMetricCriteria",
        "condition": {"windowSize": "PT5M", "allOf": [condition]},
    }
    return _alert(rule, target.lower(), context, signal="Metric", service="Platform")


def log_alert(
    *, dimensions: dict[str, str] | None = None, properties: dict[str, str] | None = None, rule: str = "drift-high"
) -> Json:
    """A Log Alerts V2 alert, fired now: its target is the Log Analytics workspace, its subject a dimension."""
    condition = {
        "searchQuery": "AppMetrics | summarize max(psi) by endpoint",
        "metricMeasureColumn": "psi",
        "targetResourceTypes": "['Microsoft.OperationalInsights/workspaces']",
        "operator": "GreaterThan",
        "threshold": "0.2",
        "timeAggregation": "Maximum",
        "dimensions": [{"name": name, "value": value} for name, value in (dimensions or {}).items()],
        "metricValue": 0.31,
        "failingPeriods": {"numberOfEvaluationPeriods": 1, "minFailingPeriodsToAlert": 1},
    }
    context = {
        "properties": properties or {},
        "conditionType": "LogQueryCriteria",
        "condition": {"windowSize": "PT10M", "allOf": [condition]},
    }
    return _alert(rule, LOG_WORKSPACE, context, signal="Log", service="Log Alerts V2")


def resolved(alert: Json) -> Json:
    """The same alert, when its condition is gone."""
    over = copy.deepcopy(alert)
    over["data"]["essentials"] |= {"monitorCondition": "Resolved", "resolvedDateTime": _now()}
    return over


def _alert(rule: str, target: str, context: Json, *, signal: str, service: str) -> Json:
    number = uuid.uuid4()
    return {
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": {
            "essentials": {
                "alertId": f"/subscriptions/s/providers/Microsoft.AlertsManagement/alerts/{number}",
                "alertRule": rule,
                "severity": "Sev1",
                "signalType": signal,
                "monitorCondition": "Fired",
                "monitoringService": service,
                "alertTargetIDs": [target],
                "configurationItems": [target.rsplit("/", 1)[-1]],
                "originAlertId": str(number),
                "firedDateTime": _now(),
                "description": "",
                "essentialsVersion": "1.0",
                "alertContextVersion": "1.0",
            },
            "alertContext": context,
        },
    }


def _now() -> str:
    """With seven digits of a second, as Azure writes it."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
