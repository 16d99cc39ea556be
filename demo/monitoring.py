"""What an engineer sets up in Azure Monitor once: an action group and two alert rules, by ARM's REST API.

One rule looks at latency, one at drift. Both call Understudy's webhook and the pager. The drift rule splits by
`model_name`, which is how Understudy knows the endpoint that a log alert is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo.schema import MODEL
from demo.web import Web

LATENCY_RULE = "credit-default-latency"
DRIFT_RULE = "credit-default-drift"
LATENCY_LIMIT_MS = 220
"""Far above what the demo's good versions need, also on a busy machine; below what version 4 needs under load."""
DRIFT_LIMIT = 0.6
"""Share of drifted features."""

_QUERIES = Path(__file__).parent / "queries"


class SetupFailed(Exception):
    """Azure refused a part of the set-up."""


class Monitoring:
    """The action group and rules of one resource group."""

    def __init__(self, arm: Web, subscription: str, resource_group: str) -> None:
        self._arm = arm
        self._group = f"/subscriptions/{subscription}/resourceGroups/{resource_group}"
        self._action_group = f"{self._group}/providers/Microsoft.Insights/actionGroups/on-call"

    def notify(self, webhooks: Mapping[str, str]) -> None:
        """Make the action group: receivers by name."""
        receivers = [{"name": name, "serviceUri": url, "useCommonAlertSchema": True} for name, url in webhooks.items()]
        self._put(
            f"{self._action_group}?api-version=2023-01-01",
            {"groupShortName": "on-call", "enabled": True, "webhookReceivers": receivers},
            location="Global",
        )

    def watch_latency(self, endpoint_id: str) -> None:
        """Alert when a deployment of the endpoint answers too slowly."""
        criterion = {
            "criterionType": "StaticThresholdCriterion",
            "name": "slow",
            "metricNamespace": "Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
            "metricName": "RequestLatency_P95",
            "dimensions": [{"name": "deployment", "operator": "Include", "values": ["*"]}],
            "operator": "GreaterThan",
            "threshold": LATENCY_LIMIT_MS,
            "timeAggregation": "Average",
        }
        self._put(
            f"{self._group}/providers/Microsoft.Insights/metricAlerts/{LATENCY_RULE}?api-version=2018-03-01",
            {
                "description": "A deployment answers too slowly.",
                "severity": 1,
                "enabled": True,
                "scopes": [endpoint_id],
                "evaluationFrequency": "PT1M",
                "windowSize": "PT1M",
                "autoMitigate": True,
                "criteria": {
                    "odata.type": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
                    "allOf": [criterion],
                },
                "actions": [{"actionGroupId": self._action_group}],
            },
            location="global",
        )

    def watch_drift(self, log_workspace_id: str, location: str) -> None:
        """Alert when most features of the recent requests differ from the training data."""
        criterion = {
            "query": drift_query(MODEL),
            "timeAggregation": "Maximum",
            "metricMeasureColumn": "share",
            "dimensions": [{"name": "model_name", "operator": "Include", "values": ["*"]}],
            "operator": "GreaterThan",
            "threshold": DRIFT_LIMIT,
            "failingPeriods": {"numberOfEvaluationPeriods": 1, "minFailingPeriodsToAlert": 1},
        }
        self._put(
            f"{self._group}/providers/Microsoft.Insights/scheduledQueryRules/{DRIFT_RULE}?api-version=2023-03-15-preview",
            {
                "displayName": DRIFT_RULE,
                "description": "Most features have drifted.",
                "severity": 2,
                "enabled": True,
                "scopes": [log_workspace_id],
                "evaluationFrequency": "PT1M",
                "windowSize": "PT5M",
                "autoMitigate": True,
                "criteria": {"allOf": [criterion]},
                "actions": {"actionGroups": [self._action_group]},
            },
            location=location,
        )

    def log_workspace_id(self, name: str) -> str:
        """The ARM id of a Log Analytics workspace of the resource group."""
        return f"{self._group}/providers/Microsoft.OperationalInsights/workspaces/{name}"

    def _put(self, path: str, properties: dict[str, Any], *, location: str) -> None:
        reply = self._arm.call("PUT", path, {"location": location, "properties": properties})
        if not reply.is_success:
            raise SetupFailed(f"PUT {path} was answered {reply.status}: {reply.body}")


def drift_query(model: str) -> str:
    """The drift rule's query: the file, behind the model's name."""
    text = (_QUERIES / "drift.kql").read_text(encoding="utf-8")
    return f"let model = '{model}';\n{text}"
