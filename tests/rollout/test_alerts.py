"""Azure Monitor's common alert schema, as its two kinds of rules fill it in, and as samples have moved it about."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from rollout.alerts import SCHEMA, parse
from rollout.bad_input import BadInput

ENDPOINT = "/subscriptions/S/resourceGroups/RG/providers/X/workspaces/WS/onlineEndpoints/Credit"
METRIC: dict[str, Any] = {
    "schemaId": SCHEMA,
    "data": {
        "essentials": {
            "alertId": "/subscriptions/S/providers/Microsoft.AlertsManagement/alerts/a-1",
            "alertRule": "latency too high",
            "severity": "Sev2",
            "signalType": "Metric",
            "monitorCondition": "Fired",
            "monitoringService": "Platform",
            "alertTargetIDs": [f"{ENDPOINT}/"],
            "firedDateTime": "2026-05-04T12:00:00.1234567Z",
        },
        "alertContext": {
            "conditionType": "SingleResourceMultipleMetricCriteria",
            "condition": {
                "allOf": [
                    {
                        "metricName": "RequestLatency_P95",
                        "dimensions": [{"name": "deployment", "value": "card-2-abcdef"}],
                        "metricValue": 120.0,
                    }
                ]
            },
        },
        "customProperties": {"understudy.policy": "credit"},
    },
}
LOG: dict[str, Any] = {
    "schemaId": SCHEMA,
    "data": {
        "essentials": {
            "alertId": "a-2",
            "alertRule": "errors",
            "severity": "Sev1",
            "signalType": "Log",
            "monitorCondition": "Fired",
            "monitoringService": "Log Alerts V2",
            "alertTargetIDs": ["/subscriptions/S/providers/microsoft.operationalinsights/workspaces/l"],
            "firedDateTime": "2026-05-04T12:00:00Z",
        },
        "alertContext": {
            "properties": {"understudy.policy": "credit"},
            "conditionType": "LogQueryCriteria",
            "condition": {
                "allOf": [
                    {"dimensions": [{"name": "_ResourceId", "value": ENDPOINT}], "metricValue": 3},
                    {"dimensions": [{"name": "Endpoint", "value": "credit"}], "metricValue": 3},
                ]
            },
        },
    },
}


def changed(sample: dict[str, Any], path: str, value: Any = None) -> str:
    """The sample with what is at `path` replaced; None leaves it out."""
    body = copy.deepcopy(sample)
    *way, last = path.split(".")
    where = body
    for part in way:
        where = where[part]
    if value is None:
        del where[last]
    else:
        where[last] = value
    return json.dumps(body)


def test_a_metric_alert_is_read() -> None:
    alert = parse(json.dumps(METRIC))

    assert (alert.rule, alert.fired, alert.condition, alert.severity) == ("latency too high", True, "fired", "Sev2")
    assert alert.targets == (ENDPOINT.lower(),), "ids are compared in lower case, without a slash at the end"
    assert alert.dimensions == {"deployment": "card-2-abcdef"}
    assert alert.properties == {"understudy.policy": "credit"}
    assert alert.at == "2026-05-04T12:00:00.1234567Z"


def test_a_log_alert_is_read_with_the_dimensions_of_every_criterion() -> None:
    alert = parse(json.dumps(LOG))

    assert alert.dimensions == {"_resourceid": ENDPOINT, "endpoint": "credit"}
    assert alert.properties == {"understudy.policy": "credit"}, "log alerts put custom properties into the context"


@pytest.mark.parametrize("sample", [METRIC, LOG], ids=["metric", "log"])
def test_the_resolution_of_an_alert_carries_the_same_id_and_another_key(sample: dict[str, Any]) -> None:
    resolved = copy.deepcopy(sample)
    resolved["data"]["essentials"] |= {"monitorCondition": "Resolved", "resolvedDateTime": "2026-05-04T12:09:00Z"}

    fired, ended = parse(json.dumps(sample)), parse(json.dumps(resolved))

    assert (ended.fired, ended.condition, ended.at) == (False, "resolved", "2026-05-04T12:09:00Z")
    assert fired.alert_id == ended.alert_id
    assert fired.key != ended.key
    assert fired.key == parse(json.dumps(sample)).key, "a repeated notification has the same key"


def test_a_log_alert_that_resolves_without_a_time_of_its_own_is_read_too() -> None:
    alert = parse(changed(LOG, "data.essentials.monitorCondition", "Resolved"))

    assert alert.at == "2026-05-04T12:00:00Z"
    assert alert.key != parse(json.dumps(LOG)).key


def test_the_same_alert_that_fires_again_later_is_another_notification() -> None:
    again = parse(changed(METRIC, "data.essentials.firedDateTime", "2026-05-04T13:00:00Z"))

    assert again.key != parse(json.dumps(METRIC)).key


def test_the_condition_is_read_in_any_case() -> None:
    assert parse(changed(METRIC, "data.essentials.monitorCondition", "fired")).fired


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("data.alertContext", None),
        ("data.alertContext", "moved"),
        ("data.alertContext.condition", None),
        ("data.alertContext.condition", []),
        ("data.alertContext.condition.allOf", {"dimensions": []}),
        ("data.alertContext.condition.allOf", ["x", {"dimensions": None}, {"dimensions": ["x", {"value": 1}]}]),
        ("data.customProperties", "none"),
        ("data.essentials.severity", None),
        ("data.essentials.alertTargetIDs", None),
        ("data.essentials.firedDateTime", None),
    ],
)
def test_what_moved_or_is_missing_of_the_rest_does_not_keep_the_alert_from_being_read(path: str, value: Any) -> None:
    assert parse(changed(METRIC, path, value)).rule == "latency too high"


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ("", "body"),
        ("{", "body"),
        ("null", "body"),
        (changed(METRIC, "schemaId"), "schemaId"),
        (changed(METRIC, "schemaId", "AzureMonitorMetricAlert"), "schemaId"),
        (changed(METRIC, "data"), "data"),
        (changed(METRIC, "data", []), "data"),
        (changed(METRIC, "data.essentials"), "data.essentials"),
        (changed(METRIC, "data.essentials.alertId"), "data.essentials.alertId"),
        (changed(METRIC, "data.essentials.alertId", "x" * 513), "data.essentials.alertId"),
        (changed(METRIC, "data.essentials.alertRule", ""), "data.essentials.alertRule"),
        (changed(METRIC, "data.essentials.alertRule", 7), "data.essentials.alertRule"),
        (changed(METRIC, "data.essentials.monitorCondition"), "data.essentials.monitorCondition"),
        (changed(METRIC, "data.essentials.monitorCondition", "Maybe"), "data.essentials.monitorCondition"),
        (changed(METRIC, "data.essentials.alertTargetIDs", "id"), "data.essentials.alertTargetIDs"),
        (changed(METRIC, "data.essentials.alertTargetIDs", [1]), "data.essentials.alertTargetIDs"),
    ],
)
def test_what_cannot_be_read_names_its_field(raw: str, field: str) -> None:
    with pytest.raises(BadInput) as wrong:
        parse(raw)

    assert wrong.value.field == field
