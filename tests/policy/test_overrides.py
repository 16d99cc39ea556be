"""What a target says for itself: laid over the policy's own words, at that target only."""

from __future__ import annotations

import json
from datetime import timedelta

from policy.load import load
from policy.match import endpoint_id
from policy.model import Canary, Full, Policy
from tests.policy.texts import VALID, edited

AT = "    endpoint: credit\n"


def policy_with(overrides: str) -> Policy:
    """The valid policy, its one target with more keys."""
    indented = "".join(f"    {line}\n" for line in overrides.splitlines())
    return load(edited((AT, AT + indented)), "credit.yaml")


def test_a_target_without_words_of_its_own_has_the_policys() -> None:
    policy = load(VALID, "credit.yaml")
    assert policy.at(policy.targets[0]) == policy


def test_gates_of_a_target_are_merged_key_by_key() -> None:
    policy = policy_with("gates: {agreement: null, min_requests: 500}")
    gates = policy.at("production").gates
    assert (gates.agreement, gates.min_requests) == (None, 500)
    assert gates.error_rate == policy.gates.error_rate
    assert gates.latency_p95 == policy.gates.latency_p95


def test_deployment_settings_of_a_target_are_merged_and_its_variables_added() -> None:
    own = "deployment: {instance_type: small, instance_count: 2, environment_variables: {A: a, B: b}}"
    over = "deployment: {instance_count: 9, environment_variables: {B: other}}"
    text = edited(("steps:\n", f"{own}\nsteps:\n"), (AT, f"{AT}    {over}\n"))
    deployment = load(text, "credit.yaml").at("production").deployment
    assert (deployment.instance_type, deployment.instance_count) == ("small", 9)
    assert deployment.environment_variables == {"A": "a", "B": "other"}


def test_steps_and_alerts_of_a_target_replace_the_policys_as_a_whole() -> None:
    policy = policy_with(
        "steps: [{canary: {traffic_percent: 30}}, {full: {}}]\nalerts: [{rule: errors, do: hold}]\nfailed: {keep: 1h}"
    )
    at = policy.at("production")
    assert at.steps == (Canary(traffic_percent=30), Full())
    assert [alert.rule for alert in at.alerts] == ["errors"]
    assert at.failed.keep == timedelta(hours=1)


def test_a_target_may_be_observed_while_the_others_act() -> None:
    policy = policy_with("mode: observe\nadopt: true\nkeep: 2\non_new_version: queue\nforeign_change: restore")
    at = policy.at("production")
    assert (policy.mode, at.mode, at.adopt, at.keep) == ("act", "observe", True, 2)
    assert (at.on_new_version, at.foreign_change) == ("queue", "restore")


def test_a_target_may_lift_the_policys_freeze() -> None:
    window = 'freeze: [{from: "16:00", to: "24:00", time_zone: UTC, reason: evening}]'
    text = edited(("steps:\n", f"{window}\nsteps:\n"), (AT, f"{AT}    freeze: []\n"))
    policy = load(text, "credit.yaml")
    assert len(policy.freeze) == 1
    assert policy.at("production").freeze == ()


def test_the_policy_in_effect_is_the_same_when_asked_for_again() -> None:
    policy = policy_with("gates: {agreement: null}\nkeep: 1")
    at = policy.at("production")
    assert at.at("production") == at


def test_overrides_are_written_and_read_again_without_saying_more_than_was_said() -> None:
    policy = policy_with("gates: {latency_p95: {harm: 1.5, safe: 1.6}}\ndeployment: {instance_count: 3}")
    again = Policy.model_validate(json.loads(json.dumps(policy.model_dump(mode="json"))))
    assert again == policy
    assert again.at("production") == policy.at("production")


def test_a_batch_target_is_a_batch_endpoint_in_azure() -> None:
    policy = policy_with("kind: batch\nsample: azureml://datastores/d/paths/sample.csv")
    assert "/batchendpoints/credit" in endpoint_id(policy.targets[0], "credit")
