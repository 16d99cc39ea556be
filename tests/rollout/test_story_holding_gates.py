"""Drift and cost: a version that they do not find safe does not go forward, and is never taken back for harm."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from policy.gates import CostGate, DriftGate, Gates
from policy.model import DeploymentSettings, Drift, Export, Policy
from rollout.drift_gate import DriftSeen
from rollout.machines import Machines
from rollout.phases import Flag, Phase
from rollout.place import Place
from rollout.replay import replay
from tests.rollout.azure import Azure, Loop
from tests.rollout.journey import DAY, HOUR, WELL, deployed, registered
from tests.rollout.world import (
    HARM,
    NEW,
    OLD,
    PLACE,
    POLICY,
    SAFE,
    V1,
    V2,
    command,
    decided,
    policy_of,
    standing,
    versions,
    world_of,
)

DRIFT_GATED = POLICY.model_copy(
    update={"gates": Gates(drift=DriftGate(max_share=0.3)), "drift": Drift(), "export": Export()}
)
COST_GATED = POLICY.model_copy(
    update={"gates": Gates(cost=CostGate(max_ratio=1.5)), "deployment": DeploymentSettings(instance_count=1)}
)
SAME = Machines("Standard_F2s_v2", "Standard_F2s_v2")
DEARER = Machines("Standard_F2s_v2", "Standard_F4s_v2", 0.1, 0.2)
UNREAD = Machines("Standard_F2s_v2", "Standard_F4s_v2", problem="https://prices.azure.com does not answer")


def live_under(policy: Policy) -> Loop:
    """Version 1 has all live traffic, and version 2 was registered."""
    loop = Loop(Azure({OLD: 100}, deployments={OLD: "Succeeded"}, models={OLD: V1.id}), policy)
    return registered(loop, V1, V2)


def drifted(share: float, until: datetime) -> DriftSeen:
    return DriftSeen(until, share, round(20 * share), 20, 5000)


def in_shadow_under_drift() -> Loop:
    """A rollout in its shadow, safe by its requests for longer than it must stay."""
    loop = deployed(live_under(DRIFT_GATED))
    loop.look(smoke=WELL)
    loop.until_read_back()
    loop.look(2 * HOUR, evidence=SAFE, drift=drifted(0.5, loop.now + 2 * HOUR))
    return loop


def test_a_version_that_is_safe_waits_while_too_much_of_the_traffic_drifts_and_goes_on_when_it_does_not() -> None:
    loop = in_shadow_under_drift()
    assert loop.record is not None
    assert loop.phase() is Phase.SHADOW
    assert loop.record.reasons[0].startswith("drift: 10 of 20 features (50%) drifted")
    (told,) = [one for one in loop.record.evidence if one.gate == "drift"]
    assert (told.outcome, told.value, told.safe, told.n) == ("unknown", 0.5, 0.3, 5000)

    loop.look(HOUR, evidence=SAFE, drift=drifted(0.2, loop.now))

    assert loop.phase() is Phase.CANARY
    assert "drift: 4 of 20 features (20%) drifted" in loop.record.entries[-2].text + loop.record.entries[-1].text


def test_drift_that_lasts_ends_as_the_steps_deadline_says_and_not_before() -> None:
    loop = in_shadow_under_drift()
    loop.look(DAY, evidence=SAFE, drift=drifted(0.5, loop.now + DAY))
    assert loop.record is not None
    assert (loop.phase(), loop.record.flags) == (Phase.SHADOW, frozenset({Flag.HELD}))

    loop.look(DAY, evidence=SAFE, drift=drifted(0.5, loop.now + DAY))

    assert loop.phase() is Phase.ROLLING_BACK
    assert "not ready by the deadline" in loop.record.reasons[0]


def test_a_person_may_advance_a_version_that_was_trained_because_of_the_drift() -> None:
    loop = in_shadow_under_drift()
    loop.look(evidence=SAFE, drift=drifted(0.5, loop.now), commands=(command("advance"),))
    assert loop.phase() is Phase.CANARY


@pytest.mark.parametrize("phase", [Phase.SHADOW, Phase.CANARY, Phase.CHECKING])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_harm_goes_back_whatever_drifts(phase: Phase, share: float) -> None:
    record = standing(phase)
    decision = decided(record, world_of(phase), policy=DRIFT_GATED, evidence=HARM, drift=drifted(share, record.entered))
    assert decision.record.phase is Phase.ROLLING_BACK


@pytest.mark.parametrize("phase", [Phase.FULL, Phase.RETIRING])
def test_with_all_of_the_traffic_neither_is_asked(phase: Phase) -> None:
    """There is no promotion left to hold; drift of a released version is for alerts and retraining."""
    gates = Gates(drift=DriftGate(max_share=0), cost=CostGate(max_ratio=1))

    after = decided(standing(phase), world_of(phase), policy=policy_of(gates=gates), evidence=SAFE).record

    assert {one.gate for one in after.evidence} == {"error_rate", "latency_p95"}


def test_a_candidate_that_would_cost_too_much_fails_before_it_is_made_and_says_what_mends_it() -> None:
    loop = live_under(COST_GATED)
    loop.look(machines=DEARER)

    assert loop.record is not None
    assert (loop.phase(), loop.azure.deployments) == (Phase.FAILED, {OLD: "Succeeded"})
    assert "cost: with all of the traffic 1 x Standard_F4s_v2 at 0.2 an hour" in loop.record.reasons[0]
    assert "raise gates.cost.max_ratio, and retry" in loop.record.reasons[0]
    assert not loop.azure.under_way

    loop.policy = COST_GATED.model_copy(update={"gates": Gates(cost=CostGate(max_ratio=2))})
    loop.look(commands=(command("retry"),), versions=versions(V1, V2))
    loop.look(machines=DEARER)
    assert NEW in loop.azure.deployments


def test_a_price_that_cannot_be_read_is_waited_for_and_is_kept_once_it_is_known() -> None:
    loop = live_under(COST_GATED)
    loop.look(machines=UNREAD)
    assert loop.record is not None
    assert (loop.phase(), loop.record.flags) == (Phase.DEPLOYING, frozenset({Flag.HELD}))
    assert loop.record.reasons == ("cost: https://prices.azure.com does not answer",)

    loop.look(machines=replace(DEARER, candidate_price=0.14))
    assert NEW in loop.azure.deployments

    loop.azure.deploy()
    loop.look()
    loop.look(smoke=WELL)
    loop.until_read_back()
    loop.look(2 * HOUR, evidence=SAFE)
    assert loop.phase() is Phase.CANARY


def test_a_price_that_is_never_known_fails_at_the_deadline_of_the_start() -> None:
    loop = live_under(COST_GATED)
    loop.look(machines=UNREAD)
    loop.look(DAY + HOUR, machines=UNREAD)
    assert loop.phase() is Phase.FAILED


def test_a_copy_of_live_needs_no_price() -> None:
    loop = live_under(COST_GATED)
    loop.look(machines=SAME)
    assert NEW in loop.azure.deployments


def test_machines_that_grow_during_a_rollout_hold_it() -> None:
    """Somebody makes live smaller than the policy's number: more than was thought would be paid."""
    policy = COST_GATED.model_copy(update={"deployment": DeploymentSettings(instance_count=4)})
    record = standing(Phase.CANARY, since=standing(Phase.CANARY).entered - HOUR, size=2, machines=SAME)

    after = decided(record, world_of(Phase.CANARY), policy=policy, evidence=SAFE).record

    assert after.phase is Phase.CANARY
    assert after.reasons[0].startswith("cost: with all of the traffic 4 x Standard_F2s_v2, live 2 x Standard_F2s_v2")


def test_an_observed_rollout_tells_that_it_would_cost_too_much() -> None:
    loop = live_under(COST_GATED.model_copy(update={"mode": "observe"}))
    loop.look(machines=DEARER)
    assert loop.record is not None
    assert (loop.phase(), loop.record.reasons[0][:5]) == (Phase.DEPLOYING, "cost:")


def test_a_gate_that_runs_dry_is_told_and_holds_nothing() -> None:
    dry = Gates(drift=DriftGate(max_share=0.3), cost=CostGate(max_ratio=1.5), dry_run=("drift", "cost"))
    loop = deployed(live_under(DRIFT_GATED.model_copy(update={"gates": dry})))
    loop.look(smoke=WELL)
    loop.until_read_back()
    loop.look(HOUR / 2, evidence=SAFE, drift=drifted(0.5, loop.now), machines=DEARER)
    assert loop.record is not None
    told = {one.gate: one for one in loop.record.evidence}
    assert told["drift"].text.startswith("dry run: 10 of 20 features (50%) drifted")
    assert told["cost"].text.startswith("dry run: with all of the traffic 1 x Standard_F4s_v2")

    loop.look(HOUR, evidence=SAFE, drift=drifted(0.5, loop.now))
    assert loop.phase() is Phase.CANARY


def test_a_first_version_has_nothing_to_be_compared_with() -> None:
    loop = registered(Loop(Azure(), COST_GATED), V2)
    loop.look()
    assert NEW in loop.azure.deployments


def test_a_rollout_that_drift_and_cost_held_is_decided_the_same_again() -> None:
    both = DRIFT_GATED.model_copy(update={"gates": Gates(drift=DriftGate(max_share=0.3), cost=CostGate(max_ratio=1.5))})
    loop = live_under(both)
    loop.look(machines=UNREAD)
    loop.look(machines=SAME)
    loop.azure.deploy()
    loop.look()
    loop.look(smoke=WELL)
    loop.until_read_back()
    loop.look(2 * HOUR, evidence=SAFE, drift=drifted(0.5, loop.now))
    loop.look(HOUR, evidence=SAFE, drift=drifted(0.2, loop.now))
    assert loop.phase() is Phase.CANARY

    def read(_file: Any, _text: str) -> tuple[Place, Policy]:
        return PLACE, both

    (file,) = loop.files()
    looks = list(replay(file, read=read))

    assert len(looks) == 8
    assert not [one.difference for one in looks if one.difference]
