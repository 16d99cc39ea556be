"""Properties of alert rules, as a user would PUT them."""

from __future__ import annotations

from typing import Any

from tests.localcloud.monitor_cloud import ENDPOINT

INSIGHTS = "/subscriptions/S/resourceGroups/rg-local/providers/Microsoft.Insights"
LAW = "/subscriptions/S/resourceGroups/rg-local/providers/Microsoft.OperationalInsights/workspaces/law"
NAMESPACE = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"


def metric_rule(**others: Any) -> dict[str, Any]:
    condition = {
        "name": "slow",
        "metricName": "RequestLatency_P95",
        "metricNamespace": NAMESPACE,
        "operator": "GreaterThan",
        "threshold": 100,
        "timeAggregation": "Average",
        "dimensions": [{"name": "deployment", "operator": "Include", "values": ["*"]}],
        "criterionType": "StaticThresholdCriterion",
    }
    return {
        "severity": 1,
        "enabled": True,
        "scopes": [ENDPOINT],
        "evaluationFrequency": "PT1M",
        "windowSize": "PT5M",
        "criteria": {
            "odata.type": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
            "allOf": [condition],
        },
        "actions": [{"actionGroupId": f"{INSIGHTS}/actionGroups/ag"}],
        **others,
    }


def log_rule(query: str, **condition: Any) -> dict[str, Any]:
    return {
        "severity": 2,
        "scopes": [LAW],
        "evaluationFrequency": "PT1M",
        "windowSize": "PT5M",
        "criteria": {
            "allOf": [
                {
                    "query": query,
                    "timeAggregation": "Count",
                    "operator": "GreaterThan",
                    "threshold": 0,
                    **condition,
                }
            ]
        },
        "actions": {
            "actionGroups": [f"{INSIGHTS}/actionGroups/ag"],
            "customProperties": {"understudy.policy": "credit-default"},
        },
    }
