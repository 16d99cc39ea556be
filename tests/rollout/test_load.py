"""Load for quiet endpoints: when it is due, and when nothing may be sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from policy.model import Canary, FreezeWindow, Load, Shadow
from rollout.decision import SendLoad
from rollout.judge import judge
from rollout.observation import Observation
from rollout.phases import Flag, Phase
from rollout.record import Record
from rollout.sending import _in_turn
from rollout.verdict import Arm, Evidence
from tests.rollout.happenings import HAPPENINGS, settled
from tests.rollout.world import HARM, NOW, PACE, POLICY, SAFE, UNKNOWN, decided, standing, world_of

LOAD = Load(requests=({"data": [1]},), per_minute=60)
WITH_LOAD = POLICY.model_copy(
    update={
        "steps": tuple(
            step.model_copy(update={"load": LOAD}) if isinstance(step, Shadow | Canary) else step
            for step in POLICY.steps
        )
    }
)
A_MINUTE = timedelta(minutes=1)


def sent(record: Record, seen: Evidence | None, *, now: datetime = NOW, per_minute: int = 60) -> int:
    """How much load one look at the record orders."""
    steps = tuple(
        step.model_copy(update={"load": LOAD.model_copy(update={"per_minute": per_minute})})
        if isinstance(step, Shadow | Canary)
        else step
        for step in POLICY.steps
    )
    policy = POLICY.model_copy(update={"steps": steps})
    decision = decided(record, world_of(record.phase), policy=policy, now=now, evidence=seen)
    return sum(action.count for action in decision.actions if isinstance(action, SendLoad))


@pytest.mark.parametrize("phase", [Phase.SHADOW, Phase.CANARY])
def test_a_quiet_endpoint_gets_the_share_of_the_rate_that_belongs_to_the_look(phase: Phase) -> None:
    assert sent(standing(phase), UNKNOWN) == 30, "the first look: half a minute, the pace between looks"
    assert sent(standing(phase, load_at=NOW - timedelta(seconds=20)), UNKNOWN) == 20


def test_a_look_that_comes_late_makes_nothing_up() -> None:
    assert sent(standing(Phase.SHADOW, load_at=NOW - timedelta(hours=2)), UNKNOWN) == 60


def test_a_rate_of_less_than_one_a_look_is_kept_over_several_looks() -> None:
    record, total = standing(Phase.SHADOW), 0
    policy = WITH_LOAD.model_copy(
        update={
            "steps": tuple(
                step.model_copy(update={"load": LOAD.model_copy(update={"per_minute": 1})})
                if isinstance(step, Shadow)
                else step
                for step in WITH_LOAD.steps
            )
        }
    )
    for look in range(20):
        now = NOW + look * PACE
        decision = decided(record, world_of(Phase.SHADOW), policy=policy, now=now, evidence=UNKNOWN)
        record = decision.record
        total += sum(action.count for action in decision.actions if isinstance(action, SendLoad))
    assert total in (9, 10), "ten minutes at one a minute, the first of them begun"


@pytest.mark.parametrize(
    ("record", "seen"),
    [
        (standing(Phase.SHADOW), None),
        (standing(Phase.SHADOW), HARM),
        (standing(Phase.SHADOW, flags=frozenset({Flag.PAUSED})), UNKNOWN),
        (standing(Phase.SHADOW, holds=frozenset({"a-1"})), UNKNOWN),
        (standing(Phase.SHADOW, batch=True), UNKNOWN),
        (standing(Phase.SHADOW), SAFE),
        (standing(Phase.AWAITING_APPROVAL), UNKNOWN),
        (standing(Phase.CHECKING), UNKNOWN),
        (standing(Phase.FULL), UNKNOWN),
    ],
    ids=[
        "before evidence was read",
        "when harm was seen",
        "while a person paused",
        "while an alert holds",
        "on a batch endpoint",
        "when clients send enough",
        "while waiting for approval",
        "in a check",
        "in the bake",
    ],
)
def test_no_load_is_sent(record: Record, seen: Evidence | None) -> None:
    assert sent(record, seen) == 0


def test_no_load_is_sent_while_the_policy_freezes_the_time() -> None:
    window = FreezeWindow.model_validate(
        {"from": "00:00", "to": "24:00", "days": ["mon"], "time_zone": "UTC", "reason": "r"}
    )
    frozen = WITH_LOAD.model_copy(update={"freeze": (window,)})
    for policy, loads in ((WITH_LOAD, 1), (frozen, 0)):
        decision = decided(standing(Phase.SHADOW), world_of(Phase.SHADOW), policy=policy, evidence=UNKNOWN)
        assert len(decision.actions) == loads


def test_load_of_our_own_never_stands_for_traffic_that_suffices() -> None:
    arm = Arm(1000, 0, 50.0, load=960)
    assert sent(standing(Phase.SHADOW), replace(SAFE, live=arm, candidate=arm)) == 30
    arm = Arm(1000, 0, 50.0, load=940)
    assert sent(standing(Phase.SHADOW), replace(SAFE, live=arm, candidate=arm)) == 0


@pytest.mark.parametrize("happening", sorted(HAPPENINGS))
@pytest.mark.parametrize("column", ["shadow", "canary"])
def test_whatever_happens_load_is_sent_only_where_the_step_stays_as_it_is_and_nothing_stops_it(
    column: str, happening: str
) -> None:
    given = HAPPENINGS[happening](settled(column))
    decision = decided(given.record, given.world, policy=WITH_LOAD, **given.seen)

    loads = [action for action in decision.actions if isinstance(action, SendLoad)]
    seen = Observation(given.world, **given.seen)
    if loads:
        assert decision.actions == tuple(loads)
        assert (decision.record.phase, decision.record.step) == (given.record.phase, given.record.step)
        assert decision.record.load_at == NOW
        assert not decision.record.holds
        assert Flag.PAUSED not in decision.record.flags
        assert seen.evidence is not None
        assert seen.evidence is not HARM
        assert "load" in " ".join(decision.record.reasons)


def test_the_clock_of_the_load_begins_anew_with_each_step() -> None:
    record = standing(
        Phase.SHADOW, load_at=NOW - A_MINUTE, entered=NOW - timedelta(hours=2), since=NOW - timedelta(hours=2)
    )
    decision = decided(record, world_of(Phase.SHADOW), policy=WITH_LOAD, evidence=SAFE)

    assert (decision.record.phase, decision.record.load_at) == (Phase.CANARY, None)


def test_the_first_load_of_a_step_is_written_into_the_history_and_the_rest_is_not() -> None:
    record = standing(Phase.SHADOW)
    for look in range(3):
        now = NOW + look * PACE
        record = decided(record, world_of(Phase.SHADOW), policy=WITH_LOAD, now=now, evidence=UNKNOWN).record
    assert [line.text for line in record.entries if line.cause == "write"] == [
        "60 recorded requests a minute are sent as load"
    ]


def test_a_verdict_says_how_much_of_what_it_rests_on_was_load() -> None:
    evidence = replace(SAFE, live=Arm(1000, 0, 50.0, load=600), candidate=Arm(200, 0, 50.0, load=150))
    verdict = judge(POLICY.gates, evidence, shadow=True)

    assert all("150 of the candidate's 200 requests and 600 of live's 1000 were load" in r for r in verdict.reasons)
    assert not any("load" in reason for reason in judge(POLICY.gates, SAFE, shadow=True).reasons)


def test_the_requests_go_round_from_one_look_to_the_next() -> None:
    requests = tuple(range(45))
    first = _in_turn(requests, 30, LOAD, NOW)
    second = _in_turn(requests, 30, LOAD, NOW + timedelta(seconds=30))

    assert set(first) | set(second) == set(requests), "no look sends only what the look before sent"
    assert len(_in_turn((1, 2), 5, LOAD, NOW)) == 5
