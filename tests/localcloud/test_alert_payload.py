"""The bodies that action groups post, field by field against Microsoft's samples (facts/functions.md section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from localcloud.monitor.alert_conditions import Measured
from localcloud.monitor.alert_payload import Notice, payload
from localcloud.monitor.alert_rules import read
from localcloud.monitor.alert_state import Change
from tests.localcloud.alert_bodies import INSIGHTS, LAW, log_rule, metric_rule
from tests.localcloud.monitor_cloud import ENDPOINT

FIRED = datetime(2026, 3, 22, 13, 58, 24, 371321, tzinfo=UTC)
END = datetime(2026, 3, 22, 13, 58, 3, 64000, tzinfo=UTC)
WINDOW = (END - timedelta(minutes=5), END)

METRIC_SAMPLE: dict[str, Any] = {
    "schemaId": "azureMonitorCommonAlertSchema",
    "data": {
        "essentials": {
            "alertId": "/subscriptions/S/providers/Microsoft.AlertsManagement/alerts/G1",
            "alertRule": "ep-5xx",
            "severity": "Sev1",
            "signalType": "Metric",
            "monitorCondition": "Fired",
            "monitoringService": "Platform",
            "alertTargetIDs": [ENDPOINT],
            "configurationItems": ["credit"],
            "originAlertId": "S_rg-local_microsoft.insights_metricAlerts_ep-5xx_-117781227",
            "firedDateTime": "2026-03-22T13:58:24.3713210Z",
            "description": "",
            "essentialsVersion": "1.0",
            "alertContextVersion": "1.0",
        },
        "alertContext": {
            "properties": None,
            "conditionType": "SingleResourceMultipleMetricCriteria",
            "condition": {
                "windowSize": "PT5M",
                "allOf": [
                    {
                        "metricName": "RequestsPerMinute",
                        "metricNamespace": "Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
                        "operator": "GreaterThan",
                        "threshold": "5",
                        "timeAggregation": "Average",
                        "dimensions": [
                            {"name": "deployment", "value": "blue"},
                            {"name": "statusCodeClass", "value": "5xx"},
                        ],
                        "metricValue": 7.7,
                    }
                ],
                "windowStartTime": "2026-03-22T13:53:03.0640000Z",
                "windowEndTime": "2026-03-22T13:58:03.0640000Z",
            },
        },
        "customProperties": {"service": "churn", "runbook": "rollback"},
    },
}
LOG_SAMPLE: dict[str, Any] = {
    "schemaId": "azureMonitorCommonAlertSchema",
    "data": {
        "essentials": {
            "alertId": "/subscriptions/S/providers/Microsoft.AlertsManagement/alerts/G1",
            "alertRule": "drift-high",
            "severity": "Sev2",
            "signalType": "Log",
            "monitorCondition": "Fired",
            "monitoringService": "Log Alerts V2",
            "alertTargetIDs": [LAW.lower()],
            "originAlertId": "G1",
            "firedDateTime": "2026-03-22T13:58:24.3713210Z",
            "description": "",
            "essentialsVersion": "1.0",
            "alertContextVersion": "1.0",
        },
        "alertContext": {
            "properties": {"understudy.policy": "credit-default"},
            "conditionType": "LogQueryCriteria",
            "condition": {
                "windowSize": "PT5M",
                "allOf": [
                    {
                        "searchQuery": "AppMetrics | project psi = Sum",
                        "metricMeasureColumn": "psi",
                        "targetResourceTypes": "['Microsoft.OperationalInsights/workspaces']",
                        "operator": "GreaterThan",
                        "threshold": "0.2",
                        "timeAggregation": "Maximum",
                        "dimensions": [
                            {"name": "endpoint", "value": "churn-ep"},
                            {"name": "deployment", "value": "blue"},
                        ],
                        "metricValue": 0.31,
                        "failingPeriods": {"numberOfEvaluationPeriods": 1, "minFailingPeriodsToAlert": 1},
                        "linkToSearchResultsUI": "https://",
                        "linkToFilteredSearchResultsUI": "https://",
                        "linkToSearchResultsAPI": "https://",
                        "linkToFilteredSearchResultsAPI": "https://",
                    }
                ],
                "windowStartTime": "2026-03-22T13:53:03.0640000Z",
                "windowEndTime": "2026-03-22T13:58:03.0640000Z",
            },
        },
    },
}


def body(kind: str, change: Change = "Fired", target: str | None = None, **properties: Any) -> dict[str, Any]:
    """What is posted for the rule of one of the samples."""
    split = [{"name": name, "operator": "Include", "values": ["*"]} for name in ("deployment", "statusCodeClass")]
    if kind == "metricAlerts":
        rule = metric_rule(customProperties={"service": "churn", "runbook": "rollback"}, **properties)
        rule["criteria"]["allOf"][0] |= {"metricName": "RequestsPerMinute", "threshold": 5, "dimensions": split}
        name, seen = "ep-5xx", Measured({"deployment": "blue", "statusCodeClass": "5xx"}, 7.7, True)
    else:
        query = {"timeAggregation": "Maximum", "metricMeasureColumn": "psi", "threshold": 0.2}
        rule = {**log_rule("AppMetrics | project psi = Sum", **query), **properties}
        name, seen = "drift-high", Measured({"endpoint": "churn-ep", "deployment": "blue"}, 0.31, True)
    made = read(kind, f"{INSIGHTS}/{kind}/{name}", name, {"properties": rule})
    return payload(Notice(made, change, "G1", FIRED, FIRED + timedelta(minutes=3), WINDOW, (seen,), target))


def without_chance(value: Any) -> Any:
    """The body without what is different each time: the number of a metric's origin and the links into the portal."""
    if isinstance(value, Mapping):
        return {name: without_chance(part) for name, part in value.items()}
    if isinstance(value, list):
        return [without_chance(part) for part in value]
    if isinstance(value, str) and value.startswith("https://"):
        return "https://"
    return value.rpartition("_-")[0] if isinstance(value, str) and "_-" in value else value


@pytest.mark.parametrize(("kind", "sample"), [("metricAlerts", METRIC_SAMPLE), ("scheduledQueryRules", LOG_SAMPLE)])
def test_a_fired_alert_has_the_samples_fields_and_no_others(kind: str, sample: dict[str, Any]) -> None:
    assert without_chance(body(kind)) == without_chance(sample)


def test_a_resolved_metric_alert_is_the_fired_one_and_the_time_it_resolved() -> None:
    fired, resolved = body("metricAlerts"), body("metricAlerts", "Resolved")
    assert resolved["data"]["essentials"] == fired["data"]["essentials"] | {
        "monitorCondition": "Resolved",
        "resolvedDateTime": "2026-03-22T14:01:24.3713210Z",
    }
    assert resolved["data"]["alertContext"] == fired["data"]["alertContext"]


def test_a_resolved_log_alert_has_no_resolved_time() -> None:
    fired, resolved = body("scheduledQueryRules"), body("scheduledQueryRules", "Resolved")
    assert resolved["data"]["essentials"] == fired["data"]["essentials"] | {"monitorCondition": "Resolved"}


def test_a_metric_rules_webhook_properties_stand_in_the_context() -> None:
    action = {"actionGroupId": f"{INSIGHTS}/actionGroups/ag", "webHookProperties": {"understudy.policy": "credit"}}
    data = body("metricAlerts", actions=[action])["data"]
    assert data["alertContext"]["properties"] == {"understudy.policy": "credit"}
    assert data["customProperties"] == {"service": "churn", "runbook": "rollback"}


def test_a_row_that_names_a_resource_makes_it_the_alerts_target() -> None:
    assert body("scheduledQueryRules", target=ENDPOINT)["data"]["essentials"]["alertTargetIDs"] == [ENDPOINT]


@pytest.mark.parametrize(("window", "size"), [("PT15M", "PT15M"), ("PT60M", "PT1H"), ("PT24H", "P1D")])
def test_the_window_is_written_as_azure_writes_it(window: str, size: str) -> None:
    data = body("metricAlerts", windowSize=window)["data"]
    assert data["alertContext"]["condition"]["windowSize"] == size
