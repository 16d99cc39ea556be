"""Rules of the policy in effect at each target: no promotion by the clock alone, no step that could never end well."""

from __future__ import annotations

import pytest

from policy.load import load
from tests.policy.texts import VALID, complaints, edited

AT = "    endpoint: credit\n"
STEPS = VALID[VALID.index("  - smoke") : VALID.index("gates:")]
BATCH = "kind: batch\nsample: azureml://datastores/d/paths/s.csv"
UNJUDGED = (
    "nothing would judge a version before it is released: add a shadow, canary, check or approval step before full, "
    "or a bake longer than 0s with error_rate or latency_p95 to judge it by"
)


def with_steps(*steps: str) -> str:
    """The valid policy with other steps."""
    return edited((STEPS, "".join(f"  - {step}\n" for step in steps)))


def at_target(overrides: str, text: str = VALID) -> str:
    """The policy in `text`, its target with keys of its own."""
    return edited((AT, AT + "".join(f"    {line}\n" for line in overrides.splitlines())), text=text)


BY_AGREEMENT_ALONE = (
    "  error_rate: {harm: 0.005, safe: 0.01}\n",
    "  error_rate: null\n  latency_p95: null\n",
)


@pytest.mark.parametrize(
    ("steps", "judged"),
    [
        (("shadow: {mirror_percent: 5}", "full: {bake: 0s}"), True),
        (("canary: {traffic_percent: 5}", "full: {bake: 0s}"), True),
        (("approval: {}", "full: {bake: 0s}"), True),
        (("smoke: {}", "full: {bake: 1s}"), True),  # harm in the bake goes back
        (("smoke: {}", "full: {bake: 0s}"), False),
        (("smoke: {}", "wait: {at_least: 7d}", "full: {bake: 0s}"), False),
        (("full: {bake: 0s}", "retire: {after: 30d}"), False),
    ],
)
def test_time_alone_releases_no_version(steps: tuple[str, ...], judged: bool) -> None:
    assert complaints(with_steps(*steps)) == ([] if judged else [f"steps: {UNJUDGED}"])


def test_a_check_before_the_first_shadow_or_canary_has_nothing_to_judge() -> None:
    assert complaints(with_steps("check: {}", "shadow: {mirror_percent: 5}", "full: {}")) == [
        "steps[0].check: has nothing to judge: before the first shadow or canary the new version gets no requests"
    ]


def test_agreement_alone_needs_a_shadow_step_to_be_judged_in() -> None:
    text = edited(BY_AGREEMENT_ALONE, text=with_steps("canary: {traffic_percent: 5}", "full: {}"))
    assert complaints(text) == [
        "gates.agreement: agreement is judged on mirrored requests, and there is no shadow step: "
        "add one, or turn on error_rate or latency_p95"
    ]


def test_agreement_alone_cannot_judge_a_canary_nor_a_check_after_one() -> None:
    text = edited(
        BY_AGREEMENT_ALONE,
        text=with_steps("shadow: {mirror_percent: 5}", "canary: {traffic_percent: 5}", "check: {}", "full: {}"),
    )
    assert complaints(text) == [
        "steps[1].canary: cannot be judged by agreement alone, for its requests are answered once: turn on error_rate",
        "steps[2].check: cannot be judged by agreement alone after a canary: turn on error_rate or latency_p95",
    ]


def test_agreement_alone_judges_a_shadow_and_a_check_after_it() -> None:
    text = edited(BY_AGREEMENT_ALONE, text=with_steps("shadow: {mirror_percent: 5}", "check: {}", "full: {}"))
    assert complaints(text) == []


def test_gates_that_a_target_turns_off_are_missed_at_that_target() -> None:
    paired = edited(("  agreement: {harm: 0.95, safe: 0.97}\n", "  agreement: null\n"))
    assert complaints(at_target("gates: {error_rate: null, latency_p95: null}", paired)) == [
        "targets[0].gates: no promotion gate remains: keep at least one of error_rate, latency_p95 and agreement, "
        "or every version would pass"
    ]


def test_steps_of_a_target_are_judged_by_themselves() -> None:
    assert complaints(at_target("steps: [{smoke: {}}, {full: {bake: 0s}}]")) == [f"targets[0].steps: {UNJUDGED}"]


def test_what_is_wrong_with_the_policys_own_steps_is_told_once_however_many_targets_have_them() -> None:
    one_target = with_steps("full: {bake: 0s}")
    target = one_target[one_target.index("  - name: production") : one_target.index("steps:")]
    second = edited(("production", "second"), ("endpoint: credit", "endpoint: other"), text=target)
    text = edited(("steps:\n", f"{second}steps:\n"), text=one_target)
    assert complaints(text) == [f"steps: {UNJUDGED} (at target production)"]


def test_an_alert_of_a_target_that_retrains_needs_a_job() -> None:
    text = at_target("alerts: [{rule: a, do: retrain}]", edited(("retrain: {job: train.yml}\n", "")))
    assert complaints(text) == ["targets[0].alerts[0].do: needs `retrain`: there is no job to start"]


def test_a_drift_gate_of_a_target_needs_drift() -> None:
    text = at_target(
        "gates: {drift: {max_share: 0.3}}", edited(("drift: {every: 1h}\nretrain: {job: train.yml}\n", ""))
    )
    assert complaints(text) == ["targets[0].gates.drift: needs `drift`: nothing would measure the share"]


def test_a_drift_gate_needs_a_step_to_hold() -> None:
    gated = edited(("gates:\n", "gates:\n  drift: {max_share: 0.3}\n"), text=with_steps("smoke: {}", "full: {}"))
    assert complaints(gated) == [
        "gates.drift: holds nothing, for there is no shadow, canary or check step: add one, or drop the gate"
    ]


@pytest.mark.parametrize(
    ("gate", "why"),
    [
        ("drift: {max_share: 0.3}", "the drift of a batch endpoint is not measured"),
        ("cost: {max_ratio: 1.5}", "a batch deployment has no machines of its own"),
    ],
)
def test_a_batch_target_has_neither_drift_nor_machines(gate: str, why: str) -> None:
    gated = edited(("gates:\n", f"gates:\n  {gate}\n"), text=with_steps("check: {}", "full: {}"))
    name = gate.partition(":")[0]
    assert complaints(at_target(BATCH, gated)) == [
        f"gates.{name}: {why}: write `{name}: null` under the target's `gates`"
    ]
    assert complaints(at_target(f"{BATCH}\ngates: {{{name}: null}}", gated)) == []


def test_a_canary_does_not_judge_a_batch_target() -> None:
    batch = at_target(BATCH, with_steps("canary: {traffic_percent: 5}", "full: {}"))
    assert complaints(batch) == [f"steps: {UNJUDGED}"]
    assert complaints(at_target(BATCH, with_steps("check: {}", "full: {}"))) == []


def test_an_online_target_without_logs_could_judge_nothing() -> None:
    logs = "    log_analytics_workspace_id: 00000000-0000-0000-0000-000000000002\n"
    unwatched = edited((logs, ""), ("export: {every: 15m}\ndrift: {every: 1h}\nretrain: {job: train.yml}\n", ""))
    assert complaints(unwatched) == [
        "targets[0]: needs log_analytics_workspace_id: without its logs no gate could ever judge a version here"
    ]


@pytest.mark.parametrize(("key", "value"), [("load", "{requests: [1]}"), ("warm_up", "5m")])
def test_what_is_about_requests_has_no_effect_on_a_batch_target(key: str, value: str) -> None:
    shadow = f"shadow: {{mirror_percent: 5, {key}: {value}}}"
    assert complaints(at_target(BATCH, with_steps(shadow, "full: {}"))) == [
        f"steps[0].shadow.{key}: has no effect on a batch endpoint: it is judged on the target's `sample`"
    ]


def test_a_warm_up_leaves_time_to_judge_in() -> None:
    text = with_steps(
        "shadow: {mirror_percent: 5, at_most: 2h, warm_up: 2h}",
        "canary: {traffic_percent: 5, warm_up: 13h}",
        "full: {bake: 10m, warm_up: 15m}",
    )
    assert complaints(text) == [
        "steps[0].shadow.warm_up: warm_up (2h) is not shorter than at_most (2h): nothing would be judged",
        "steps[1].canary.warm_up: warm_up (13h) is not shorter than at_most (12h): nothing would be judged",
        "steps[2].full.warm_up: warm_up (15m) is not shorter than bake (10m): nothing would be judged",
    ]


def test_a_text_that_serves_a_rollout_in_flight_is_not_judged_by_newer_rules() -> None:
    text = with_steps("full: {bake: 0s}")
    assert load(text, "credit.yaml", rules=False).steps


def test_gates_that_all_run_dry_are_none() -> None:
    dry = edited(("gates:\n", "gates:\n  dry_run: [error_rate, latency_p95, agreement]\n"))
    assert complaints(dry) == [
        "gates.dry_run: leaves no promotion gate that counts: at least one of error_rate, latency_p95 and agreement "
        "has to, or every version would pass"
    ]


def test_a_gate_of_ones_own_has_a_name_of_its_own_and_only_gates_run_dry() -> None:
    own = "  queries:\n    - {name: cost, query: AppEvents, harm: 0.1, safe: 0.2}\n  dry_run: [speed]\n"
    assert complaints(edited(("gates:\n", f"gates:\n{own}"))) == [
        "gates.queries[0].name: 'cost' is the name of another gate",
    ]
    assert complaints(edited(("gates:\n", "gates:\n  dry_run: [speed]\n"))) == [
        "gates.dry_run[0]: 'speed' is none of the gates error_rate, latency_p95, agreement, drift, cost"
    ]
