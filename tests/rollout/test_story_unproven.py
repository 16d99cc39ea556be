"""A rollout does not start while something that it needs is missing; it says what, and what mends it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rollout.phases import Flag, Phase
from rollout.record import Checked
from tests.rollout.azure import Azure, Loop
from tests.rollout.journey import HOUR, done, old_is_live, registered
from tests.rollout.world import NEW, NOW, OLD, POLICY, V1, V2, command, versions

LACKS = "rights on the endpoint: the app lacks write; mend it with: az role assignment create"
MISSING = Checked(NOW, (LACKS,))


def held() -> Loop:
    """A version was registered, and a right is missing."""
    loop = registered(old_is_live(), V1, V2)
    loop.look(checks=MISSING)
    return loop


def test_a_start_is_held_with_the_command_that_mends_it_and_begins_when_it_is_mended() -> None:
    loop = held()
    assert loop.record is not None
    assert (loop.phase(), loop.record.flags, loop.record.reasons) == (
        Phase.DEPLOYING,
        frozenset({Flag.HELD}),
        (LACKS,),
    )
    assert (NEW in loop.azure.deployments, loop.record.checks) == (False, MISSING)
    assert [entry.text for entry in loop.record.entries if entry.cause == "trouble"] == [f"check: {LACKS}"]

    loop.look(checks=Checked(loop.now))

    assert NEW in loop.azure.deployments
    assert loop.record.checks.failed == ()


def test_what_cannot_be_checked_is_waited_for_and_says_why() -> None:
    loop = registered(old_is_live(), V1, V2)
    loop.look(checks=None, trouble=("503 permissions",))

    assert loop.record is not None
    assert loop.record.reasons == ("what a rollout needs could not be checked", "503 permissions")
    assert NEW not in loop.azure.deployments


def test_a_start_that_nobody_mends_fails_at_its_deadline_and_says_what_was_missing() -> None:
    loop = held()
    loop.look(timedelta(hours=23), checks=MISSING)
    assert loop.phase() is Phase.DEPLOYING

    loop.look(2 * HOUR, checks=MISSING)

    assert loop.record is not None
    assert (loop.phase(), loop.azure.deployments) == (Phase.FAILED, {OLD: "Succeeded"})
    assert LACKS in loop.record.reasons[0]


def test_a_version_that_is_live_already_needs_nothing() -> None:
    loop = Loop(Azure({OLD: 100}, deployments={OLD: "Succeeded"}, models={OLD: V1.id}))
    registered(loop, V1, V2)
    loop.azure.deployments[NEW], loop.azure.traffic = "Succeeded", {NEW: 100}

    loop.look(checks=MISSING)

    assert loop.phase() is Phase.DONE


def test_an_observed_rollout_tells_what_would_hold_it() -> None:
    loop = registered(Loop(old_is_live().azure, POLICY.model_copy(update={"mode": "observe"})), V1, V2)
    loop.look(checks=MISSING)

    assert loop.record is not None
    assert loop.record.reasons == (LACKS,)


@pytest.mark.parametrize("found", [MISSING, None])
def test_going_back_the_slow_way_is_never_held_up_by_a_check(found: Checked | None) -> None:
    loop = done()
    loop.look(versions=versions(V1, V2))
    assert OLD not in loop.azure.deployments

    loop.look(commands=(command("rollback"),), checks=found)
    loop.look(versions=versions(V1, V2), checks=found)
    loop.look(checks=found)

    assert loop.record is not None
    assert (loop.record.kind, loop.record.candidate in loop.azure.deployments) == ("rollback", True)
