"""A rollout that has all of the traffic, and that somebody stopped and forgot: it ends where it stands."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rollout.commands import Command, refusal
from rollout.phases import Flag, Phase
from rollout.record import Leftover
from rollout.targets import its_turn
from tests.rollout.azure import Loop
from tests.rollout.journey import DAY, HOUR, UNDER_WAY, deployed, old_is_live, registered
from tests.rollout.world import (
    NEW,
    NOW,
    OLD,
    POLICY,
    SAFE,
    V1,
    V2,
    V3,
    alert,
    command,
    decided,
    endpoint,
    freeze,
    standing,
    versions,
)

A_WEEK = timedelta(days=7)
OWN = {Phase.FULL: HOUR, Phase.RETIRING: DAY}


def stopped(phase: Phase, by: str = "pause") -> Loop:
    """With all of the traffic, and stopped."""
    loop = UNDER_WAY[phase]()
    if by == "pause":
        loop.look(evidence=SAFE, commands=(command("pause"),))
    else:
        loop.look(evidence=SAFE, alerts=(alert("hold"),))
    return loop


def forgotten(phase: Phase, by: str = "pause") -> Loop:
    """Stopped, and nobody came for a week longer than its time."""
    loop = stopped(phase, by)
    loop.look(OWN[phase] + A_WEEK, evidence=SAFE)
    return loop


@pytest.mark.parametrize("by", ["pause", "alert"])
@pytest.mark.parametrize("phase", OWN)
def test_it_waits_a_week_longer_than_its_time_says_until_when_and_goes_on_when_somebody_comes(
    phase: Phase, by: str
) -> None:
    loop = stopped(phase, by)
    assert loop.record is not None
    end = loop.record.entered + OWN[phase] + A_WEEK
    loop.look(OWN[phase] + A_WEEK - HOUR, evidence=SAFE)
    assert loop.phase() is phase
    assert loop.record.reasons[-1] == f"it ends unfinished on {end:%Y-%m-%d %H:%M} UTC"

    loop.look(evidence=SAFE, commands=(command("resume"),))
    if phase is Phase.FULL:
        assert loop.phase() is Phase.RETIRING
    else:
        assert loop.azure.deployments[OLD] == "Deleting"


@pytest.mark.parametrize("by", ["pause", "alert"])
@pytest.mark.parametrize("phase", OWN)
def test_then_it_ends_without_moving_traffic_and_says_how_long_the_way_back_is_one_write(phase: Phase, by: str) -> None:
    loop = forgotten(phase, by)

    assert loop.record is not None
    assert (loop.phase(), loop.azure.traffic, loop.azure.under_way) == (Phase.FAILED, {NEW: 100}, None)
    assert loop.record.leftovers == (Leftover(OLD, loop.now + DAY),)
    told = loop.record.entries[-1].text
    assert "stopped for 7 days longer than its time" in told
    until = f"{loop.now + DAY:%Y-%m-%d %H:%M} UTC"
    assert f"{OLD} is deleted after {until}; until then `rollback` is one write" in told


def test_the_old_deployment_is_deleted_only_at_that_time_and_the_history_says_so() -> None:
    loop = forgotten(Phase.FULL)
    loop.look(DAY - HOUR, versions=versions(V1, V2))
    assert loop.azure.deployments[OLD] == "Succeeded"
    loop.look(2 * HOUR)
    assert loop.azure.deployments[OLD] == "Deleting"
    assert loop.record is not None
    assert loop.record.entries[-1].text == f"asked to delete deployment {OLD}: its time is over"


def test_what_was_stopped_at_one_target_does_not_begin_at_the_next() -> None:
    earlier, waiting = forgotten(Phase.FULL).record, standing(Phase.DEPLOYING)
    _, give_up = its_turn(POLICY.targets[0], "staging", earlier, waiting, NOW, serves=False)
    assert give_up is not None
    assert "stopped for 7 days longer than its time" in give_up


def test_retry_finishes_it_as_it_stands() -> None:
    loop = forgotten(Phase.FULL)
    assert refusal(loop.record, Command("retry", "i", "r")) is None
    loop.look(commands=(command("retry"),), versions=versions(V1, V2))
    loop.look()
    assert (loop.phase(), loop.azure.traffic, loop.azure.under_way) == (Phase.DONE, {NEW: 100}, None)
    assert its_turn(POLICY.targets[0], "staging", loop.record, standing(Phase.DEPLOYING), loop.now, serves=False) == (
        None,
        None,
    )


def test_a_newer_version_need_not_wait_for_the_forgotten_one() -> None:
    loop = registered(forgotten(Phase.FULL), V1, V2, V3)
    assert loop.record is not None
    assert (loop.record.version, loop.phase()) == ("3", Phase.DEPLOYING)
    deployed(loop)
    assert loop.record.live == NEW


def test_what_was_asked_to_stay_is_not_deleted_for_a_forgotten_pause() -> None:
    for policy in (
        POLICY.model_copy(update={"keep": 1}),
        POLICY.model_copy(update={"steps": POLICY.steps[:-1]}),
    ):
        loop = stopped(Phase.FULL)
        loop.policy = policy
        loop.look(2 * A_WEEK, evidence=SAFE)
        assert loop.record is not None
        assert (loop.phase(), loop.record.leftovers) == (Phase.FAILED, ())


@pytest.mark.parametrize("phase", OWN)
def test_the_time_of_a_freeze_does_not_count(phase: Phase) -> None:
    loop = stopped(phase)
    for _ in range(20):
        loop.look(DAY, evidence=SAFE, freezes=(freeze(loop.now + 2 * DAY),))
    loop.look(6 * DAY, evidence=SAFE)
    assert loop.phase() is phase
    loop.look(2 * DAY, evidence=SAFE)
    loop.look(DAY, evidence=SAFE)
    assert loop.phase() is Phase.FAILED


@pytest.mark.parametrize("phase", OWN)
def test_a_read_that_fails_at_the_end_of_a_long_pause_moves_no_traffic(phase: Phase) -> None:
    loop = stopped(phase)
    loop.look(OWN[phase] + A_WEEK + HOUR, there=False)
    assert (loop.phase(), loop.azure.under_way) == (phase, None)
    loop.look(2 * DAY, there=False)
    assert (loop.phase(), loop.azure.under_way) == (Phase.FAILED, None)


@pytest.mark.parametrize("phase", OWN)
def test_a_split_that_somebody_sets_late_in_a_pause_is_held_and_not_touched_at_once(phase: Phase) -> None:
    loop = stopped(phase)
    loop.look(5 * DAY, evidence=SAFE)
    loop.azure.traffic = {OLD: 50, NEW: 50}
    loop.look(DAY)
    loop.look(2 * DAY)
    assert loop.record is not None
    assert (loop.phase(), loop.azure.under_way) == (phase, None)
    assert Flag.HELD in loop.record.flags

    loop.look(2 * DAY)
    assert (loop.phase(), loop.azure.under_way) == (Phase.ROLLING_BACK, ({OLD: 100}, {}))


def test_a_slow_way_back_that_is_forgotten_after_its_bake_is_done() -> None:
    back = standing(
        Phase.FULL,
        kind="rollback",
        candidate=OLD,
        live=NEW,
        entered=NOW - 8 * DAY,
        since=NOW - 8 * DAY,
        harm_seen=NOW - 9 * DAY,
        flags=frozenset({Flag.PAUSED}),
    )
    ended = decided(back, endpoint({OLD: 100}), policy=POLICY).record
    assert ended.phase is Phase.DONE
    assert ended.leftovers == (Leftover(NEW, NOW + DAY),)


def test_a_first_version_that_is_forgotten_ends_too() -> None:
    loop = Loop(old_is_live().azure, POLICY, standing(Phase.FULL, live=None, since=NOW, entered=NOW))
    loop.azure.traffic, loop.azure.deployments = {NEW: 100}, {NEW: "Succeeded"}
    loop.look(commands=(command("pause"),))
    loop.look(A_WEEK + 2 * HOUR)
    assert loop.record is not None
    assert (loop.phase(), loop.record.leftovers) == (Phase.FAILED, ())
