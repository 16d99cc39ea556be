"""Alert rules put by ARM, evaluated, and told to a webhook in the common alert schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import requests

from localcloud.monitor import kql
from localcloud.monitor.store import TableStore
from localcloud.settings import Settings
from tests.localcloud import alert_bodies
from tests.localcloud.alert_bodies import INSIGHTS, LAW, NAMESPACE, metric_rule
from tests.localcloud.alert_webhook import Webhook, running_webhook
from tests.localcloud.monitor_cloud import ENDPOINT, Running, running, traffic, until

MINUTE = 0.2
SETTINGS = Settings(ingestion_seconds=0.0, minute_seconds=MINUTE, alert_evaluation_seconds=0.1)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with running_webhook() as running_one:
        yield running_one


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[Running]:
    with running(SETTINGS, tmp_path) as started:
        assert isinstance(started.cloud.tables, TableStore)
        started.cloud.tables.append("AppEvents", [{"Name": "warm-up"}])  # first imports take longer than a window
        kql.run(started.cloud.tables, "AppEvents", kql.Scope(), kql.Limits(1))
        yield started


def log_rule(query: str, **condition: Any) -> dict[str, Any]:
    """A log rule that resolves after one clean minute instead of ten: the long wait is alert_state's own test."""
    quickly = {"resolveConfiguration": {"autoResolved": True, "timeToResolve": "PT1M"}}
    return alert_bodies.log_rule(query, **condition) | quickly


ALL_DEPLOYMENTS = {"name": "DeploymentName", "operator": "Include", "values": ["*"]}
Arm = Callable[..., requests.Response]


@pytest.fixture
def arm(monitor: Running, webhook: Webhook) -> Arm:
    """Calls ARM; the action group `ag` with the webhook is there already."""

    def call(method: str, path: str, properties: dict[str, Any] | None = None) -> requests.Response:
        return requests.request(
            method,
            f"{monitor.url}{path}?api-version=2023-01-01",
            json={"location": "global", "properties": properties} if properties is not None else None,
            headers={"Authorization": "Bearer x"},
            verify=str(monitor.cloud.ca_file),
            timeout=10,
        )

    receiver = {"name": "app", "serviceUri": webhook.url, "useCommonAlertSchema": True}
    made = call("PUT", f"{INSIGHTS}/actionGroups/ag", {"groupShortName": "ag", "webhookReceivers": [receiver]})
    assert made.status_code == 201, made.text
    return call


def test_a_metric_alert_fires_once_for_the_slow_deployment_and_resolves_when_it_is_clean(
    monitor: Running, arm: Arm, webhook: Webhook
) -> None:
    monitor.cloud.tables.append(
        "AmlOnlineEndpointTrafficLog",
        [traffic("blue", milliseconds=10), *(traffic("green", milliseconds=500) for _ in range(5))],
    )
    assert arm("PUT", f"{INSIGHTS}/metricAlerts/latency", metric_rule()).status_code == 201
    until(lambda: webhook.changes("Resolved"))
    (fired,), (resolved,) = webhook.changes("Fired"), webhook.changes("Resolved")
    essentials = fired["data"]["essentials"]
    assert fired["schemaId"] == "azureMonitorCommonAlertSchema"
    assert essentials["alertRule"] == "latency"
    assert essentials["severity"] == "Sev1"
    assert (essentials["signalType"], essentials["monitoringService"]) == ("Metric", "Platform")
    assert essentials["alertTargetIDs"] == [ENDPOINT]
    assert essentials["configurationItems"] == ["credit"]
    condition = fired["data"]["alertContext"]["condition"]
    assert condition["windowSize"] == "PT5M"
    assert condition["allOf"] == [
        {
            "metricName": "RequestLatency_P95",
            "metricNamespace": NAMESPACE,
            "operator": "GreaterThan",
            "threshold": "100",
            "timeAggregation": "Average",
            "dimensions": [{"name": "deployment", "value": "green"}],
            "metricValue": 500.0,
        }
    ]
    assert resolved["data"]["essentials"]["alertId"] == essentials["alertId"]
    assert resolved["data"]["essentials"]["resolvedDateTime"] > essentials["firedDateTime"]


def test_each_combination_of_dimension_values_is_an_alert_of_its_own(
    monitor: Running, arm: Arm, webhook: Webhook
) -> None:
    rows = [traffic(deployment, milliseconds=500) for deployment in ("blue", "green")]
    monitor.cloud.tables.append("AmlOnlineEndpointTrafficLog", rows)
    arm("PUT", f"{INSIGHTS}/metricAlerts/latency", metric_rule())
    fired = until(lambda: len(webhook.changes("Fired")) == 2 and webhook.changes("Fired"))
    assert isinstance(fired, list)
    assert len({body["data"]["essentials"]["alertId"] for body in fired}) == 2


def test_a_log_alert_over_drift_messages_fires_with_its_value_and_custom_properties(
    monitor: Running, arm: Arm, webhook: Webhook
) -> None:
    message = {"model_name": "credit", "type": "OverallDriftMetrics", "data": {"share_drifted_features": 0.6}}
    monitor.cloud.tables.append("AppTraces", [{"Message": json.dumps(message)}])
    query = """AppTraces | where Message has 'OverallDriftMetrics' | extend d = parse_json(Message)
        | project share = todouble(d.data.share_drifted_features), model_name = tostring(d.model_name)"""
    rule = log_rule(
        query,
        timeAggregation="Maximum",
        metricMeasureColumn="share",
        threshold=0.4,
        dimensions=[{"name": "model_name", "operator": "Include", "values": ["*"]}],
    )
    assert arm("PUT", f"{INSIGHTS}/scheduledQueryRules/drift-high", rule).status_code == 201
    data = until(lambda: webhook.changes("Fired"))[0]["data"]
    assert (data["essentials"]["signalType"], data["essentials"]["monitoringService"]) == ("Log", "Log Alerts V2")
    assert data["essentials"]["alertTargetIDs"] == [LAW.lower()]
    assert data["alertContext"]["properties"] == {"understudy.policy": "credit-default"}
    assert data["alertContext"]["conditionType"] == "LogQueryCriteria"
    line = data["alertContext"]["condition"]["allOf"][0]
    assert (line["metricMeasureColumn"], line["threshold"], line["metricValue"]) == ("share", "0.4", 0.6)
    assert line["dimensions"] == [{"name": "model_name", "value": "credit"}]
    assert line["targetResourceTypes"] == "['Microsoft.OperationalInsights/workspaces']"
    until(lambda: webhook.changes("Resolved"))
    assert len(webhook.changes("Fired")) == 1


def test_a_log_alert_split_by_resource_has_the_endpoint_as_its_target(
    monitor: Running, arm: Arm, webhook: Webhook
) -> None:
    monitor.cloud.tables.append("AmlOnlineEndpointTrafficLog", [traffic(code=500)])
    rule = log_rule(
        "AmlOnlineEndpointTrafficLog | where ResponseCode >= 500",
        dimensions=[{"name": "_ResourceId", "operator": "Include", "values": ["*"]}],
    )
    arm("PUT", f"{INSIGHTS}/scheduledQueryRules/errors", rule)
    fired = until(lambda: webhook.changes("Fired"))
    assert fired[0]["data"]["essentials"]["alertTargetIDs"] == [ENDPOINT]


def test_a_metric_alert_can_watch_a_custom_metric(arm: Arm, monitor: Running, webhook: Webhook) -> None:
    rule = metric_rule(windowSize="PT1H")
    condition = {"metricName": "DriftScore", "metricNamespace": "understudy/drift", "threshold": 0.4}
    by_feature = [{"name": "feature", "operator": "Include", "values": ["*"]}]
    rule["criteria"]["allOf"] = [
        {**rule["criteria"]["allOf"][0], **condition, "timeAggregation": "Maximum", "dimensions": by_feature}
    ]
    assert arm("PUT", f"{INSIGHTS}/metricAlerts/drift", rule).status_code == 201
    series = [
        {"dimValues": [name], "min": score, "max": score, "sum": score, "count": 1}
        for name, score in (("sex", 0.5), ("age", 0.1))
    ]
    base = {"metric": "DriftScore", "namespace": "understudy/drift", "dimNames": ["feature"], "series": series}
    reply = requests.post(
        f"{monitor.url}{ENDPOINT}/metrics",
        json={"time": datetime.now(UTC).isoformat(), "data": {"baseData": base}},
        headers={"Authorization": "Bearer x"},
        verify=str(monitor.cloud.ca_file),
        timeout=10,
    )
    assert reply.status_code == 200
    (fired,) = until(lambda: webhook.changes("Fired"))
    (line,) = fired["data"]["alertContext"]["condition"]["allOf"]
    assert (line["metricName"], line["metricValue"]) == ("DriftScore", 0.5)
    assert line["dimensions"] == [{"name": "feature", "value": "sex"}]


def test_two_conditions_hold_only_where_the_same_deployment_meets_both(
    monitor: Running, arm: Arm, webhook: Webhook
) -> None:
    rows = [traffic("blue", milliseconds=500), traffic("green", code=500, milliseconds=10)]
    both = [traffic("red", code=500, milliseconds=500)]
    monitor.cloud.tables.append("AmlOnlineEndpointTrafficLog", [*rows, *both])
    rule = metric_rule()
    slow = rule["criteria"]["allOf"][0]
    split = [*slow["dimensions"], {"name": "statusCodeClass", "operator": "Exclude", "values": ["2xx"]}]
    failing = {**slow, "name": "failing", "metricName": "RequestsPerMinute", "threshold": 0, "dimensions": split}
    rule["criteria"]["allOf"] = [slow, failing]
    arm("PUT", f"{INSIGHTS}/metricAlerts/slow-and-failing", rule)
    until(lambda: webhook.changes("Resolved"))
    (fired,) = webhook.changes("Fired")
    lines = fired["data"]["alertContext"]["condition"]["allOf"]
    assert [line["dimensions"][0]["value"] for line in lines] == ["red", "red"]


def test_a_rule_that_is_put_again_does_not_fire_again(monitor: Running, arm: Arm, webhook: Webhook) -> None:
    """One failing request before the rule was once out of its window, which is a blink here, when a busy machine first
    looked: requests fail until somebody was called."""

    def fired() -> bool:
        if not webhook.changes("Fired"):
            monitor.cloud.tables.append("AmlOnlineEndpointTrafficLog", [traffic(code=500)])
        return bool(webhook.changes("Fired"))

    for _ in range(2):
        arm("PUT", f"{INSIGHTS}/scheduledQueryRules/errors", log_rule("AmlOnlineEndpointTrafficLog"))
        until(fired)
    until(lambda: webhook.changes("Resolved"))
    assert len(webhook.changes("Fired")) == 1


def test_a_busy_webhook_is_called_again_until_it_takes_the_alert(monitor: Running, arm: Arm, webhook: Webhook) -> None:
    webhook.statuses = [503, 429]
    monitor.cloud.tables.append("AmlOnlineEndpointTrafficLog", [traffic(code=500)])
    arm("PUT", f"{INSIGHTS}/scheduledQueryRules/errors", log_rule("AmlOnlineEndpointTrafficLog"))
    until(lambda: len(webhook.bodies) == 3)
    assert webhook.bodies[0] == webhook.bodies[1] == webhook.bodies[2]


def test_a_rule_calls_five_action_groups_at_most(monitor: Running, arm: Arm, webhook: Webhook) -> None:
    receiver = {"name": "app", "serviceUri": webhook.url, "useCommonAlertSchema": True}
    groups = [f"{INSIGHTS}/actionGroups/ag{number}" for number in range(6)]
    for group in groups:
        arm("PUT", group, {"groupShortName": "ag", "webhookReceivers": [receiver]})
    monitor.cloud.tables.append("AmlOnlineEndpointTrafficLog", [traffic(code=500)])
    rule = log_rule("AmlOnlineEndpointTrafficLog")
    arm("PUT", f"{INSIGHTS}/scheduledQueryRules/errors", {**rule, "actions": {"actionGroups": groups}})
    until(lambda: len(webhook.changes("Resolved")) == 5)
    assert len(webhook.changes("Fired")) == 5


def test_an_alert_that_meets_a_500_is_lost(monitor: Running, arm: Arm, webhook: Webhook) -> None:
    webhook.statuses = [500]
    monitor.cloud.tables.append("AmlOnlineEndpointTrafficLog", [traffic(code=500)])
    arm("PUT", f"{INSIGHTS}/scheduledQueryRules/errors", log_rule("AmlOnlineEndpointTrafficLog"))
    until(lambda: webhook.changes("Resolved"))
    assert len(webhook.changes("Fired")) == 1


def test_after_six_failures_nobody_calls_the_webhook_for_a_quarter_of_an_hour(
    monitor: Running, arm: Arm, webhook: Webhook
) -> None:
    webhook.statuses = [503] * 6
    monitor.cloud.tables.append("AmlOnlineEndpointTrafficLog", [traffic(code=500)])
    always = {**log_rule("AmlOnlineEndpointTrafficLog"), "windowSize": "PT6H", "autoMitigate": False}
    arm("PUT", f"{INSIGHTS}/scheduledQueryRules/errors", {**always, "evaluationFrequency": "PT5M"})
    until(lambda: len(webhook.bodies) == 6)
    silent_from = monotonic()
    until(lambda: len(webhook.bodies) > 6, seconds=20)
    assert monotonic() - silent_from > 10 * MINUTE


def test_resources_are_kept_listed_and_deleted_in_any_case_of_the_path(arm: Arm) -> None:
    path = f"{INSIGHTS}/metricAlerts/latency"
    assert arm("GET", path).status_code == 404
    assert [arm("PUT", path, metric_rule()).status_code for _ in range(2)] == [201, 200]
    assert (
        arm("GET", path.replace("resourceGroups", "resourcegroups").lower().replace("/s/", "/S/")).json()["id"] == path
    )
    assert [rule["name"] for rule in arm("GET", f"{INSIGHTS}/metricAlerts").json()["value"]] == ["latency"]
    groups = arm("GET", "/subscriptions/S/providers/microsoft.insights/actionGroups").json()["value"]
    assert [group["name"] for group in groups] == ["ag"]
    assert [arm("DELETE", path).status_code for _ in range(2)] == [200, 204]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"windowSize": "5m"}, "5m"),
        ({"evaluationFrequency": "PT30S"}, "evaluationFrequency: PT30S"),
        ({"evaluationFrequency": "PT2M"}, "evaluationFrequency: PT2M is not one of PT1M PT5M"),
        ({"windowSize": "PT7M"}, "windowSize: PT7M is not one of"),
        ({"scopes": [ENDPOINT, ENDPOINT]}, "scopes"),
        ({"severity": 7}, "severity"),
        ({"criteria": {"allOf": []}}, "allOf"),
        ({"criteria": {"allOf": [{"metricName": "Latency"}]}}, "Latency"),
    ],
)
def test_a_wrong_rule_is_a_400_that_names_the_property(arm: Arm, change: dict[str, Any], message: str) -> None:
    reply = arm("PUT", f"{INSIGHTS}/metricAlerts/latency", metric_rule(**change))
    assert reply.status_code == 400
    assert message in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (log_rule("AmlOnlineEndpointTrafficLog | wher"), "could not be parsed"),
        (log_rule("AmlOnlineEndpointTrafficLog | where RespondeCode == 500"), "RespondeCode"),
        (log_rule("NoSuchTable_CL"), "NoSuchTable_CL"),
        (log_rule("AppTraces | project Message", dimensions=[ALL_DEPLOYMENTS]), "DeploymentName"),
        (log_rule("AppTraces | summarize n=count()", timeAggregation="Total", metricMeasureColumn="m"), "'m'"),
    ],
    ids=["syntax", "column", "table", "dimension", "measure"],
)
def test_a_log_rule_whose_query_cannot_be_answered_is_refused_when_it_is_put(
    arm: Arm, rule: dict[str, Any], message: str
) -> None:
    path = f"{INSIGHTS}/scheduledQueryRules/errors"

    reply = arm("PUT", path, rule)

    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "BadRequest")
    assert message in reply.json()["error"]["message"]
    assert arm("GET", path).status_code == 404


@pytest.mark.parametrize(
    "rule",
    [
        {**log_rule("NotSentYet_CL"), "skipQueryValidation": True},
        log_rule("AppTraces | project d=parse_json(Message) | evaluate bag_unpack(d)"),
    ],
    ids=["unchecked", "columns come with the rows"],
)
def test_a_log_rule_that_can_be_answered_later_is_taken(arm: Arm, rule: dict[str, Any]) -> None:
    assert arm("PUT", f"{INSIGHTS}/scheduledQueryRules/errors", rule).status_code == 201
