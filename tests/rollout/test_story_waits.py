"""What holds a rollout, what lets it go on, and how each wait ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from policy.model import Policy
from rollout.decision import DeleteDeployment
from rollout.observation import Smoke
from rollout.phases import Flag, Phase
from rollout.record import Entry, Leftover
from tests.rollout.journey import (
    DAY,
    HOUR,
    WELL,
    awaiting_approval,
    checking,
    deployed,
    in_canary,
    in_shadow,
    old_is_live,
    registered,
)
from tests.rollout.world import (
    NEW,
    NOW,
    OLD,
    POLICY,
    SAFE,
    UNKNOWN,
    V1,
    V2,
    alert,
    command,
    decided,
    endpoint,
    standing,
    versions,
    world_of,
)


def test_somebody_elses_split_holds_the_rollout_until_a_person_resumes() -> None:
    loop = in_canary()
    loop.azure.traffic = {OLD: 100}

    loop.look(2 * HOUR, evidence=SAFE)
    loop.look(HOUR, evidence=SAFE)
    assert loop.record is not None
    assert (loop.phase(), loop.record.flags, loop.azure.under_way) == (Phase.CANARY, frozenset({Flag.HELD}), None)

    loop.look(commands=(command("resume"),))
    assert loop.azure.under_way == ({OLD: 90, NEW: 10}, {})


@pytest.mark.parametrize("settled", [False, True], ids=["before the read-back", "after it"])
def test_a_split_set_by_hand_is_not_overwritten_even_before_the_rollouts_own_was_read_back(settled: bool) -> None:
    loop = in_shadow()
    loop.look(2 * HOUR, evidence=SAFE)
    assert (loop.phase(), loop.azure.under_way) == (Phase.CANARY, ({OLD: 90, NEW: 10}, {}))
    if settled:
        loop.until_read_back()
    loop.azure.settle(lost=True)
    loop.azure.deployments["by-hand"] = "Succeeded"
    loop.azure.traffic, loop.azure.mirror = {"by-hand": 100}, {}

    for _ in range(3):
        loop.look(HOUR)
        assert (loop.phase(), loop.azure.under_way) == (Phase.CANARY, None)
    assert loop.record is not None
    assert Flag.HELD in loop.record.flags


def test_a_split_set_by_hand_while_the_candidate_is_tested_is_not_overwritten() -> None:
    loop = deployed(registered(old_is_live(), V1, V2))
    loop.azure.deployments["by-hand"] = "Succeeded"
    loop.azure.traffic = {"by-hand": 100}

    loop.look(smoke=WELL)
    loop.look(smoke=WELL)
    assert loop.record is not None
    assert (loop.phase(), loop.record.flags, loop.azure.under_way) == (Phase.TESTING, frozenset({Flag.HELD}), None)

    loop.look(smoke=WELL, commands=(command("resume"),))
    assert loop.azure.under_way == ({OLD: 100}, {NEW: 20})


def test_traffic_is_not_moved_onto_a_deployment_that_is_not_healthy() -> None:
    loop = in_canary()
    loop.azure.traffic, loop.azure.deployments[OLD] = {NEW: 100}, "Failed"
    loop.look()

    loop.look(commands=(command("resume"),))

    assert loop.record is not None
    assert (loop.azure.under_way, loop.record.flags) == (None, frozenset({Flag.HELD}))
    assert loop.record.reasons == (f"deployment {OLD} is Failed: no live traffic is sent to it",)


def test_a_mirror_that_an_old_client_dropped_is_put_back() -> None:
    loop = in_shadow()
    loop.azure.mirror = {}
    loop.look()

    assert loop.azure.under_way == ({OLD: 100}, {NEW: 20})
    assert loop.record is not None
    assert loop.record.reasons == ("the mirror setting was lost and is put back",)


def test_an_alert_that_holds_lets_go_when_the_same_alert_resolves_and_not_before() -> None:
    loop = in_shadow()
    loop.look(alerts=(alert("hold"), alert("hold", alert_id="a-2")))
    loop.look(2 * HOUR, evidence=SAFE, alerts=(alert("ignore", fired=False),))
    assert loop.phase() is Phase.SHADOW

    loop.look(evidence=SAFE, alerts=(alert("ignore", fired=False, alert_id="a-2"),))
    assert loop.phase() is Phase.CANARY


def test_an_alert_whose_firing_arrives_after_its_own_end_does_not_hold() -> None:
    loop = in_shadow()
    loop.look(alerts=(alert("ignore", fired=False),))
    loop.look(2 * HOUR, evidence=SAFE, alerts=(alert("hold"),))

    assert loop.phase() is Phase.CANARY


def test_an_alert_that_fires_and_resolves_out_of_order_in_one_look_does_not_hold_but_another_one_does() -> None:
    loop = in_shadow()
    loop.look(alerts=(alert("ignore", fired=False), alert("hold"), alert("hold", alert_id="a-2")))

    assert loop.record is not None
    assert loop.record.holds == frozenset({"a-2"})


def test_what_was_said_of_an_earlier_step_does_not_pass_this_one() -> None:
    loop = in_shadow()
    said = loop.now
    loop.look(2 * HOUR, evidence=SAFE)
    loop.until_read_back()

    loop.look(alerts=(alert("advance", at=said),), commands=(command("advance", at=said),))
    assert loop.phase() is Phase.CANARY

    loop.look(commands=(command("advance"),))
    assert loop.phase() is Phase.AWAITING_APPROVAL
    loop.look(commands=(command("approve", at=said),))
    assert loop.phase() is Phase.AWAITING_APPROVAL
    loop.look(commands=(command("approve"),))
    assert loop.phase() is Phase.WAITING


@pytest.mark.parametrize("said", ["advance", "promote"])
def test_nobodys_word_passes_a_smoke_test_that_failed(said: str) -> None:
    loop = deployed(registered(old_is_live(), V1, V2))
    loop.look(smoke=Smoke(False, "answered 500"), commands=(command(said),), alerts=(alert("advance"),))

    assert (loop.phase(), loop.azure.traffic, loop.azure.under_way) == (Phase.FAILED, {OLD: 100}, None)


def test_a_resolved_alert_that_the_policy_takes_for_evidence_lets_go_and_advances() -> None:
    loop = in_shadow()
    loop.look(alerts=(alert("hold"),))
    loop.look(alerts=(alert("advance", fired=False),))

    assert loop.phase() is Phase.CANARY


def test_an_advance_that_comes_while_the_rollout_is_held_counts_when_it_goes_on() -> None:
    loop = in_shadow()
    loop.look(commands=(command("pause"),))
    loop.look(alerts=(alert("advance"),))
    assert loop.phase() is Phase.SHADOW

    loop.look(commands=(command("resume"),))
    assert loop.phase() is Phase.CANARY


def test_evidence_that_stays_unknown_holds_at_the_deadline_and_goes_back_later_and_never_promotes() -> None:
    loop = in_canary()
    loop.look(timedelta(hours=13), evidence=UNKNOWN)
    assert loop.record is not None
    assert (loop.phase(), loop.record.flags) == (Phase.CANARY, frozenset({Flag.HELD}))

    loop.look(DAY, evidence=UNKNOWN)
    assert (loop.phase(), loop.azure.under_way) == (Phase.ROLLING_BACK, ({OLD: 100}, {}))


def test_a_step_says_how_long_it_stays_at_least() -> None:
    loop = in_shadow()
    loop.look(timedelta(minutes=20), evidence=SAFE)

    assert loop.record is not None
    assert loop.record.reasons == ("at least 40m more",)


def test_a_split_that_was_just_asked_for_is_no_lost_mirror() -> None:
    loop = deployed(registered(old_is_live(), V1, V2))
    loop.look(smoke=WELL)

    assert loop.record is not None
    assert loop.record.reasons == ("waiting for the split to be read back",)


def test_a_write_is_told_once_in_the_history_however_often_it_is_repeated() -> None:
    loop = deployed(registered(old_is_live(), V1, V2))
    loop.look(smoke=WELL)
    for _ in range(3):
        loop.azure.settle(lost=True)
        loop.look()
    loop.until_read_back()

    assert loop.record is not None
    assert [entry.text for entry in loop.record.entries if entry.cause == "write"] == [
        f"asked for deployment {NEW}",
        f"asked for live 100 % {OLD}, mirror 20 % {NEW}",
        "the split was read back",
    ]


def then(kind: str, outcome: str) -> Policy:
    """The policy whose steps of this kind say what their deadline does."""
    steps = [step.model_copy(update={"then": outcome}) if step.kind == kind else step for step in POLICY.steps]
    return POLICY.model_copy(update={"steps": tuple(steps)})


@pytest.mark.parametrize("step", ["shadow", "canary", "check"])
def test_a_step_that_says_so_goes_back_at_its_deadline_without_holding(step: str) -> None:
    loop = {"shadow": in_shadow, "canary": in_canary, "check": checking}[step]()
    loop.policy = then(step, "rollback")
    loop.look(timedelta(hours=25), evidence=UNKNOWN)
    assert loop.phase() is Phase.ROLLING_BACK


def test_an_approval_that_says_so_holds_at_its_deadline_may_still_be_given_and_ends_later() -> None:
    late = awaiting_approval()
    late.policy = then("approval", "hold")
    late.look(timedelta(days=2, hours=1))
    assert late.record is not None
    assert (late.phase(), late.record.flags) == (Phase.AWAITING_APPROVAL, frozenset({Flag.HELD}))
    late.look(commands=(command("approve"),))
    assert late.phase() is Phase.WAITING

    forgotten = awaiting_approval()
    forgotten.policy = then("approval", "hold")
    forgotten.look(timedelta(days=3, hours=1))
    assert forgotten.phase() is Phase.ROLLING_BACK


def test_a_candidate_that_is_ready_but_paused_is_not_kept_for_ever() -> None:
    for loop in (deployed(registered(old_is_live(), V1, V2)), in_shadow()):
        loop.look(commands=(command("pause"),), smoke=WELL)
        for _ in range(4):
            loop.look(DAY, evidence=SAFE, smoke=WELL)
        loop.until_read_back()
        assert loop.phase() is Phase.ROLLED_BACK


def test_a_deletion_that_a_lock_forbids_does_not_keep_the_rollout_from_its_end_nor_a_newer_version_waiting() -> None:
    asked = Entry(NOW - timedelta(days=2, hours=1), Phase.RETIRING, "write", f"asked to delete deployment {OLD}")
    locked = standing(
        Phase.RETIRING,
        entered=NOW - timedelta(days=3, hours=1),
        entries=(asked,),
        reasons=(f"deleting deployment {OLD}", "409 ScopeLocked"),
    )

    ended = decided(locked, world_of(Phase.RETIRING), evidence=SAFE).record

    assert ended.phase is Phase.DONE
    assert [left.deployment for left in ended.leftovers] == [OLD]
    assert ended.entries[-1].text.endswith("could not be deleted for 2d: 409 ScopeLocked")
    sooner = replace(locked, entries=(replace(asked, at=NOW - timedelta(days=1)),))
    assert decided(sooner, world_of(Phase.RETIRING), evidence=SAFE).actions == (DeleteDeployment(OLD),)


def test_a_listing_that_failed_is_remembered_in_flight_until_one_succeeds() -> None:
    flying = standing(Phase.CANARY)
    failed = decided(flying, world_of(Phase.CANARY), evidence=UNKNOWN, unlisted=True).record
    assert failed.list_versions
    assert decided(failed, world_of(Phase.CANARY), evidence=UNKNOWN).record.list_versions
    assert not decided(failed, world_of(Phase.CANARY), evidence=UNKNOWN, versions=versions(V1, V2)).record.list_versions


@pytest.mark.parametrize("state", ["Updating", "Scaling"])
def test_the_old_deployment_is_not_deleted_while_the_new_one_is_being_changed(state: str) -> None:
    due = standing(Phase.RETIRING, entered=NOW - timedelta(days=2))

    decision = decided(due, endpoint({NEW: 100}, new=state), evidence=SAFE)

    assert (decision.record.phase, decision.actions) == (Phase.RETIRING, ())
    assert decided(due, endpoint({NEW: 100}), evidence=SAFE).actions == (DeleteDeployment(OLD),)


def test_a_deletion_that_is_refused_after_the_end_is_tried_ever_more_seldom() -> None:
    over = standing(Phase.ROLLED_BACK)
    paces = []
    for overdue in (timedelta(minutes=1), timedelta(hours=2), 30 * DAY):
        late = replace(over, leftovers=(Leftover(NEW, NOW - overdue),))
        next_look = decided(late, endpoint({OLD: 100})).record.next_look
        assert next_look is not None
        paces.append(next_look - NOW)
    assert paces == [timedelta(seconds=30), timedelta(minutes=12), HOUR]


def test_a_live_deployment_that_ails_while_it_serves_is_told() -> None:
    for phase in (Phase.SHADOW, Phase.CANARY, Phase.AWAITING_APPROVAL):
        decision = decided(standing(phase), world_of(phase, old="Failed"), evidence=UNKNOWN)

        assert decision.record.phase is phase
        assert decision.record.reasons[-1].startswith(f"live deployment {OLD} is Failed with ")
