"""When an alert fires and resolves, check by check."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from localcloud.monitor.alert_rules import Rule, read
from localcloud.monitor.alert_state import Instance, log_clean_time
from localcloud.seams import AzureError
from tests.localcloud.alert_bodies import INSIGHTS, log_rule, metric_rule

AZURE_MINUTE = timedelta(minutes=1)


def rule_of(kind: str, body: dict[str, Any]) -> Rule:
    return read(kind, f"{INSIGHTS}/{kind}/rule", "rule", {"properties": body})


def test_a_log_alert_needs_as_many_failing_periods_as_it_says() -> None:
    periods = {"failingPeriods": {"numberOfEvaluationPeriods": 3, "minFailingPeriodsToAlert": 2}}
    rule, instance = rule_of("scheduledQueryRules", log_rule("AppTraces", **periods)), Instance()
    now = datetime.now(UTC)
    changes = [instance.observe(rule, met, now, AZURE_MINUTE) for met in (True, False, False, True, True)]
    assert changes == [None, None, None, None, "Fired"]


def test_a_metric_alert_resolves_after_three_clean_checks_in_a_row() -> None:
    rule, instance = rule_of("metricAlerts", metric_rule()), Instance()
    now = datetime.now(UTC)
    seen = (True, False, False, True, False, False, False, True)
    changes = [instance.observe(rule, met, now, AZURE_MINUTE) for met in seen]
    assert changes == ["Fired", None, None, None, None, None, "Resolved", "Fired"]


@pytest.mark.parametrize(
    ("frequency", "clean"),
    [
        (timedelta(minutes=1), timedelta(minutes=10)),
        (timedelta(minutes=5), timedelta(minutes=15)),
        (timedelta(minutes=15), timedelta(minutes=30)),
        (timedelta(hours=12), timedelta(hours=12)),
    ],
)
def test_a_log_alert_resolves_after_the_documented_clean_time(frequency: timedelta, clean: timedelta) -> None:
    assert log_clean_time(frequency) == clean
    body = {**log_rule("AppTraces"), "evaluationFrequency": f"PT{int(frequency.total_seconds() // 60)}M"}
    rule, instance = rule_of("scheduledQueryRules", body), Instance()
    start = datetime.now(UTC)
    assert instance.observe(rule, True, start, AZURE_MINUTE) == "Fired"
    assert instance.observe(rule, False, start, AZURE_MINUTE) is None
    assert instance.observe(rule, False, start + clean - timedelta(seconds=1), AZURE_MINUTE) is None
    assert instance.observe(rule, False, start + clean, AZURE_MINUTE) == "Resolved"


def test_a_stateless_rule_fires_again_as_a_new_alert_and_never_resolves() -> None:
    rule, instance = rule_of("metricAlerts", metric_rule(autoMitigate=False)), Instance()
    start = datetime.now(UTC)
    ids = []
    for minutes, met, change in ((0, True, "Fired"), (0.5, True, None), (1, True, "Fired"), (2, False, None)):
        now = start + minutes * AZURE_MINUTE
        assert instance.observe(rule, met, now, AZURE_MINUTE) == change
        ids.append(instance.alert_id)
    assert ids[0] == ids[1] != ids[2] == ids[3]


def test_a_mute_rule_stays_silent_for_its_time_after_it_fired() -> None:
    body = {**log_rule("AppTraces"), "autoMitigate": False, "muteActionsDuration": "PT30M"}
    rule, instance = rule_of("scheduledQueryRules", body), Instance()
    start = datetime.now(UTC)
    changes = [instance.observe(rule, True, start + m * AZURE_MINUTE, AZURE_MINUTE) for m in (0, 1, 29, 30, 31)]
    assert changes == ["Fired", None, None, "Fired", None]


def test_a_rule_may_say_itself_how_long_it_has_to_be_clean() -> None:
    body = {**log_rule("AppTraces"), "resolveConfiguration": {"autoResolved": True, "timeToResolve": "PT3M"}}
    rule, instance = rule_of("scheduledQueryRules", body), Instance()
    start = datetime.now(UTC)
    assert instance.observe(rule, True, start, AZURE_MINUTE) == "Fired"
    changes = [instance.observe(rule, False, start + m * AZURE_MINUTE, AZURE_MINUTE) for m in (1, 2, 3, 4)]
    assert changes == [None, None, None, "Resolved"]


def test_a_stateful_rule_cannot_be_mute() -> None:
    with pytest.raises(AzureError, match="muteActionsDuration"):
        rule_of("scheduledQueryRules", {**log_rule("AppTraces"), "muteActionsDuration": "PT30M"})


def test_where_evaluations_are_stepped_each_stands_for_one_period_of_the_rule() -> None:
    now = datetime.now(UTC)
    log, metric = rule_of("scheduledQueryRules", log_rule("AppTraces")), rule_of("metricAlerts", metric_rule())
    stateless = rule_of(
        "scheduledQueryRules", {**log_rule("AppTraces"), "autoMitigate": False, "muteActionsDuration": "PT3M"}
    )
    for rule, seen, changed in (
        (log, [True] + [False] * 11, {0: "Fired", 11: "Resolved"}),
        (metric, [True] + [False] * 3, {0: "Fired", 3: "Resolved"}),
        (stateless, [True] * 7, {0: "Fired", 3: "Fired", 6: "Fired"}),
    ):
        instance = Instance()
        changes = [instance.observe(rule, met, now, None) for met in seen]
        assert {step: change for step, change in enumerate(changes) if change} == changed
