"""Which alert rules and action groups are taken, and what a taken one means."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from localcloud.monitor.action_groups import webhooks
from localcloud.monitor.alert_rules import read
from localcloud.seams import AzureError
from tests.localcloud.alert_bodies import INSIGHTS, NAMESPACE, log_rule, metric_rule

RECEIVER = {"name": "app", "serviceUri": "https://app.example/api/alerts", "useCommonAlertSchema": True}
FUNCTION = {"name": "f", "httpTriggerUrl": "https://app.example/api/f?code=K", "useCommonAlertSchema": True}


def rule_of(kind: str, body: Mapping[str, Any]) -> Any:
    return read(kind, f"{INSIGHTS}/{kind}/rule", "rule", {"properties": body})


def one_condition(**condition: Any) -> dict[str, Any]:
    rule = metric_rule()
    rule["criteria"]["allOf"] = [{**rule["criteria"]["allOf"][0], **condition}]
    return rule


def test_an_action_group_calls_webhooks_and_functions_and_a_disabled_one_nobody() -> None:
    properties = {"webhookReceivers": [RECEIVER], "azureFunctionReceivers": [FUNCTION]}
    assert webhooks({"properties": properties}) == [RECEIVER["serviceUri"], FUNCTION["httpTriggerUrl"]]
    assert webhooks({"properties": {**properties, "enabled": False}}) == []


@pytest.mark.parametrize(
    ("receiver", "status", "message"),
    [
        ({**RECEIVER, "useCommonAlertSchema": False}, 501, "useCommonAlertSchema"),
        ({"name": "app", "useCommonAlertSchema": True}, 400, "serviceUri is needed"),
    ],
)
def test_a_receiver_that_cannot_be_called_here_is_refused(receiver: dict[str, Any], status: int, message: str) -> None:
    with pytest.raises(AzureError, match=message) as refused:
        webhooks({"properties": {"webhookReceivers": [receiver]}})
    assert refused.value.status == status


def test_a_metric_that_was_never_sent_needs_skip_metric_validation_in_a_platform_namespace() -> None:
    with pytest.raises(AzureError, match="no metric DriftScore"):
        rule_of("metricAlerts", one_condition(metricName="DriftScore"))
    later = {**one_condition(metricName="DriftScore", timeAggregation="Maximum"), "skipMetricValidation": True}
    (criterion,) = rule_of("metricAlerts", later).criteria
    assert (criterion.metric.name, criterion.namespace) == ("DriftScore", NAMESPACE)


@pytest.mark.parametrize(
    ("condition", "status", "message"),
    [
        ({"criterionType": "DynamicThresholdCriterion"}, 501, "dynamic thresholds"),
        ({"timeAggregation": "Total"}, 400, "timeAggregation"),
        ({"dimensions": [{"name": "endpoint", "operator": "Include", "values": ["*"]}]}, 400, "no dimension endpoint"),
        ({"operator": "NotEquals"}, 400, "operator"),
    ],
)
def test_a_metric_condition_that_is_not_evaluated_is_refused(
    condition: dict[str, Any], status: int, message: str
) -> None:
    with pytest.raises(AzureError, match=message) as refused:
        rule_of("metricAlerts", one_condition(**condition))
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"timeAggregation": "Maximum"}, "metricMeasureColumn"),
        ({"timeAggregation": "Median"}, "timeAggregation"),
    ],
)
def test_a_log_condition_that_is_not_evaluated_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(AzureError, match=message):
        rule_of("scheduledQueryRules", log_rule("AppTraces", **change))


def test_a_log_rule_has_exactly_one_condition() -> None:
    rule = log_rule("AppTraces")
    rule["criteria"]["allOf"] *= 2
    with pytest.raises(AzureError, match="exactly one condition"):
        rule_of("scheduledQueryRules", rule)


def test_a_rule_is_stateful_with_severity_three_unless_it_says_otherwise() -> None:
    body = {name: value for name, value in metric_rule().items() if name != "severity"}
    rule = rule_of("metricAlerts", body)
    assert (rule.stateful, rule.severity, rule.mute) == (True, 3, timedelta())
    assert not rule_of("metricAlerts", {**body, "autoMitigate": False}).stateful
