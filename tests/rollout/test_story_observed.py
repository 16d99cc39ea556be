"""`mode: observe`: what would be done is told, nothing is done, and `act` begins in earnest."""

from __future__ import annotations

import pytest

from rollout.decide import decide
from rollout.observation import Observation
from rollout.phases import Flag, Phase
from tests.rollout.azure import Azure, Loop
from tests.rollout.journey import DAY, HOUR, before_retirement, deployed, in_canary, registered
from tests.rollout.world import (
    NEW,
    NOW,
    OLD,
    PACE,
    PLACE,
    POLICY,
    POLICY_TEXT,
    V1,
    V2,
    V3,
    alert,
    command,
    endpoint,
    name_of,
    versions,
)

OBSERVE = POLICY.model_copy(update={"mode": "observe"})
PLAN = (
    f"would create deployment {NEW} as a copy of {OLD}; then smoke, shadow 20 %, canary 10 %, approval, wait, check, "
    "full, retire"
)


def observed() -> Loop:
    """A version was registered where the policy only observes, and a look told what would be done."""
    azure = Azure({OLD: 100}, deployments={OLD: "Succeeded"}, models={OLD: V1.id})
    loop = registered(Loop(azure, OBSERVE), V1, V2)
    loop.look()
    return loop


def test_what_would_be_done_is_told_and_not_done() -> None:
    loop = observed()
    assert loop.record is not None
    assert (loop.phase(), loop.record.flags) == (Phase.DEPLOYING, frozenset({Flag.OBSERVE}))
    assert loop.record.reasons == (f"only observed: {PLAN}",)
    assert (set(loop.azure.deployments), loop.azure.under_way) == ({OLD}, None)


def test_the_history_tells_it_once_however_long_it_is_observed() -> None:
    loop = observed()
    for _ in range(30):
        loop.look(DAY, trouble=("storage was slow",))
    assert loop.record is not None
    assert loop.phase() is Phase.DEPLOYING, "observing has no deadline"
    assert [entry.text for entry in loop.record.entries].count(PLAN) == 1


def test_what_is_in_the_way_is_told_as_if_it_acted() -> None:
    loop = observed()
    loop.azure.traffic = {OLD: 60, "theirs": 40}
    loop.look(DAY)
    loop.look(2 * DAY)
    assert loop.record is not None
    assert loop.record.flags == frozenset({Flag.OBSERVE, Flag.HELD})
    assert "in other hands" in loop.record.reasons[0]


def test_a_newer_version_takes_the_observed_ones_place() -> None:
    loop = observed()
    loop.look(versions=versions(V1, V2, V3))
    assert loop.phase() is Phase.SUPERSEDED
    loop.look(versions=versions(V1, V2, V3))
    loop.look()
    assert loop.record is not None
    assert (loop.record.version, loop.record.flags) == ("3", frozenset({Flag.OBSERVE}))
    assert f"would create deployment {name_of(V3)}" in loop.record.reasons[0]


def test_it_is_done_when_its_version_goes_live_by_other_hands() -> None:
    loop = observed()
    loop.azure.deployments["by-hand"], loop.azure.models["by-hand"] = "Succeeded", V2.id
    loop.azure.traffic = {"by-hand": 100}
    loop.look()
    assert loop.record is not None
    assert loop.phase() is Phase.DONE
    assert loop.record.entries[-1].text == "done: it went live as by-hand, by other hands"


def test_the_real_rollout_begins_when_the_policy_says_act() -> None:
    loop = observed()
    loop.look(30 * DAY)
    loop.policy = POLICY
    loop.look(HOUR)
    assert loop.record is not None
    assert (loop.phase(), loop.record.flags) == (Phase.DEPLOYING, frozenset())
    assert loop.azure.deployments[NEW] == "Creating"
    deployed(loop)
    assert loop.phase() is Phase.TESTING


def test_an_observed_rollout_has_the_text_of_the_policy_in_force() -> None:
    record = observed().record
    assert record is not None
    text, seen = f"{POLICY_TEXT}mode: observe\n", Observation(endpoint({OLD: 100}, new=""))
    decision = decide(PLACE, OBSERVE, text, record, seen, NOW, pace=PACE)
    assert decision is not None
    assert decision.record.policy_text.endswith("mode: observe\n")


@pytest.mark.parametrize("asked", ["alert", "command"])
def test_after_done_the_way_back_is_told_and_not_taken(asked: str) -> None:
    loop = before_retirement()
    assert loop.phase() is Phase.DONE
    loop.policy = loop.policy.model_copy(update={"mode": "observe"})
    if asked == "alert":
        loop.look(alerts=(alert("rollback"),))
    else:
        loop.look(commands=(command("rollback"),))
    assert loop.record is not None
    assert (loop.phase(), loop.azure.under_way) == (Phase.DONE, None)
    assert loop.record.entries[-1].text.endswith("; only observed")


def test_what_earlier_rollouts_left_is_not_deleted_while_the_policy_only_observes() -> None:
    loop = in_canary()
    loop.look(alerts=(alert("rollback"),))
    loop.until_read_back()
    assert loop.phase() is Phase.ROLLED_BACK
    loop.policy = OBSERVE
    loop.look(2 * DAY, versions=versions(V1, V2))
    assert loop.azure.deployments[NEW] == "Succeeded"
    assert loop.record is not None
    assert loop.record.next_look == loop.now + HOUR

    loop.policy = POLICY
    loop.look(HOUR)
    assert loop.azure.deployments[NEW] == "Deleting"
