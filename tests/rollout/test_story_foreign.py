"""`foreign_change`: what somebody else's change of the live split does, by policy."""

from __future__ import annotations

from rollout.foreign import MOST_RESTORED
from rollout.phases import Flag, Phase
from tests.rollout.azure import Loop
from tests.rollout.journey import HOUR, in_canary, in_shadow
from tests.rollout.world import NEW, OLD, POLICY, SAFE, alert, command, freeze

RESTORE = POLICY.model_copy(update={"foreign_change": "restore"})


def restoring(loop: Loop) -> Loop:
    """The same rollout under a policy that puts somebody else's split back."""
    loop.policy = RESTORE
    return loop


def taken_off(loop: Loop) -> None:
    """Somebody's pipeline sets the whole live split back to the old deployment."""
    loop.azure.traffic, loop.azure.mirror, loop.azure.under_way = {OLD: 100}, {}, None
    loop.azure.state = "Succeeded"


def test_a_policy_that_restores_puts_the_split_back_in_the_look_that_sees_it() -> None:
    loop = restoring(in_canary())
    taken_off(loop)
    loop.look()
    assert loop.azure.under_way == ({OLD: 90, NEW: 10}, {})
    assert loop.record is not None
    assert Flag.HELD not in loop.record.flags
    assert f"somebody else set the live split to 100 % {OLD}; it is put back" in [
        entry.text for entry in loop.record.entries
    ]


def test_somebody_elses_mirror_holds_the_rollout_until_a_person_resumes() -> None:
    loop = in_shadow()
    loop.azure.deployments["theirs"] = "Succeeded"
    loop.azure.mirror = {"theirs": 20}
    loop.look()
    assert loop.record is not None
    assert (loop.azure.under_way, loop.record.flags) == (None, frozenset({Flag.HELD}))
    assert loop.record.entries[-1].text == "somebody else set the mirror to 20 % theirs"
    assert loop.record.reasons[0] == (
        f"held, since somebody else set the split: live 100 % {OLD}, mirror 20 % theirs; resume to have ours again"
    )

    loop.look(commands=(command("resume"),))
    assert loop.azure.under_way == ({OLD: 100}, {NEW: 20})


def test_a_policy_that_restores_puts_the_mirror_back_as_well() -> None:
    loop = restoring(in_shadow())
    loop.azure.mirror = {NEW: 50}
    loop.look()
    assert loop.azure.under_way == ({OLD: 100}, {NEW: 20})
    assert loop.record is not None
    assert f"somebody else set the mirror to 50 % {NEW}; it is put back" in [
        entry.text for entry in loop.record.entries
    ]


def test_whoever_changes_it_again_and_again_means_it_and_the_rollout_holds() -> None:
    loop = restoring(in_canary())
    for _ in range(MOST_RESTORED):
        taken_off(loop)
        loop.look()
        assert loop.azure.under_way is not None
        loop.until_read_back()
    taken_off(loop)
    loop.look()
    assert loop.record is not None
    assert (loop.azure.under_way, loop.record.flags) == (None, frozenset({Flag.HELD}))

    loop.look(commands=(command("resume"),))
    assert loop.azure.under_way == ({OLD: 90, NEW: 10}, {})


def test_the_next_step_counts_anew() -> None:
    loop = restoring(in_shadow())
    for _ in range(MOST_RESTORED):
        loop.azure.traffic, loop.azure.mirror = {"theirs": 100}, {}
        loop.azure.deployments["theirs"] = "Succeeded"
        loop.look()
        loop.until_read_back()
    loop.look(2 * HOUR, evidence=SAFE)
    assert loop.phase() is Phase.CANARY
    assert loop.record is not None
    assert loop.record.restored == 0


def test_a_split_that_was_changed_together_with_harm_is_not_put_back() -> None:
    loop = restoring(in_canary())
    loop.azure.traffic = {OLD: 50, NEW: 50}
    loop.look(alerts=(alert("rollback"),))
    assert (loop.phase(), loop.azure.under_way) == (Phase.ROLLING_BACK, ({OLD: 100}, {}))


def test_nothing_is_put_back_in_a_freeze_nor_while_paused() -> None:
    for stopped in ({"freezes": (freeze(),)}, {"commands": (command("pause"),)}):
        loop = restoring(in_canary())
        taken_off(loop)
        loop.look(**stopped)
        assert loop.azure.under_way is None
