"""Targets are released in order, each after the soak of the one before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from policy.model import Target
from rollout.phases import Phase
from rollout.record import Record, Tried
from rollout.targets import its_turn
from tests.rollout.world import NOW, POLICY, V1, V2, V3, standing

SOAK = timedelta(days=2)
HERE = standing(Phase.DEPLOYING, target="production", started=NOW - timedelta(hours=3))


def at(soak: timedelta = timedelta()) -> Target:
    """The second target."""
    return POLICY.targets[0].model_copy(update={"soak": soak})


def turn(
    earlier: Record | None, soak: timedelta = timedelta(), *, serves: bool | None = False
) -> tuple[str | None, str | None]:
    """(why to wait, why to give up) of the rollout HERE."""
    return its_turn(at(soak), "staging", earlier, HERE, NOW, serves=serves)


def done(ago: timedelta, phase: Phase = Phase.DONE) -> Record:
    """The target before ended so long ago."""
    return standing(phase, entered=NOW - ago, reasons=("error_rate: too many",))


def test_the_next_target_starts_when_the_one_before_is_done_and_has_soaked() -> None:
    assert turn(done(timedelta())) == (None, None)
    assert turn(done(timedelta(days=1)), SOAK) == (
        "soaks: version 2 is live at target staging, 1d more to be seen",
        None,
    )
    assert turn(done(SOAK), SOAK) == (None, None)


@pytest.mark.parametrize("phase", [Phase.ROLLED_BACK, Phase.FAILED, Phase.SUPERSEDED])
def test_a_target_that_ended_without_the_version_also_in_its_soak_ends_the_next_one(phase: Phase) -> None:
    wait, give_up = turn(done(timedelta(hours=1), phase), SOAK)
    assert wait is None
    assert give_up == f"target staging ended without version 2 ({phase}: error_rate: too many)"


def test_a_target_in_flight_or_at_another_version_is_waited_for() -> None:
    wait, _ = turn(standing(Phase.CANARY))
    assert wait == "waits for target staging, which is at version 2 (canary)"
    wait, _ = turn(standing(Phase.DONE, version="1", model_created=V1.created, tried=()))
    assert wait == "waits for target staging, which is at version 1 (done)"
    assert turn(None) == ("waits for target staging, which is without a rollout yet", None)


def test_a_version_that_other_hands_brought_to_the_target_before_soaks_from_this_rollouts_begin() -> None:
    assert turn(None, timedelta(hours=3), serves=True) == (None, None)
    wait, _ = turn(None, timedelta(hours=4), serves=True)
    assert wait is not None
    assert "1h more" in wait


LATER = standing(Phase.DONE, version="3", model_created=V3.created, tried=(Tried("2", V2.created),))


def test_a_version_that_the_target_before_has_left_behind_ends_instead_of_waiting_for_ever() -> None:
    gone = (None, "target staging went on to version 3 (done); version 2 is not live there any more")
    assert turn(LATER) == gone
    assert turn(replace(LATER, tried=())) == gone

    back = replace(LATER, version="1", model_created=V1.created, kind="rollback")
    assert turn(back)[1] == "target staging went on to version 1 (done); version 2 is not live there any more"


def test_a_target_that_may_still_come_to_the_version_or_could_not_be_read_is_waited_for() -> None:
    for waiting in (
        turn(LATER, serves=None),
        turn(replace(LATER, phase=Phase.CANARY)),
        turn(replace(LATER, version="1", model_created=V1.created, tried=())),
    ):
        assert waiting[0] is not None
        assert waiting[1] is None
