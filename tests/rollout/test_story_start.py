"""Until the candidate is up: what keeps a rollout from its start, and what becomes of a deployment that fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from rollout.observation import Smoke
from rollout.phases import Flag, Phase
from tests.rollout.azure import Azure, Loop
from tests.rollout.journey import DAY, HOUR, deployed, old_is_live, registered
from tests.rollout.world import NEW, OLD, POLICY, V1, V2


def test_what_a_failed_earlier_try_left_is_deleted_and_made_anew() -> None:
    loop = registered(old_is_live(), V1, V2)
    loop.azure.deployments[NEW] = "Failed"

    loop.look()
    assert loop.azure.deployments[NEW] == "Deleting"
    loop.look()
    assert loop.azure.deployments[NEW] == "Deleting"
    loop.azure.deploy()
    loop.look()

    assert loop.azure.deployments[NEW] == "Creating"


def test_a_deployment_that_azure_canceled_is_made_again() -> None:
    loop = registered(old_is_live(), V1, V2)
    loop.look()
    loop.azure.deploy("Canceled")
    loop.look()
    loop.azure.deploy()
    loop.look()

    assert (loop.phase(), loop.azure.deployments[NEW]) == (Phase.DEPLOYING, "Creating")


def test_a_deployment_that_never_comes_up_fails_the_rollout() -> None:
    loop = registered(old_is_live(), V1, V2)
    loop.look()
    loop.look(timedelta(minutes=59))
    assert loop.phase() is Phase.DEPLOYING

    loop.look(timedelta(minutes=2))

    assert (loop.phase(), loop.azure.traffic) == (Phase.FAILED, {OLD: 100})


def test_a_deployment_that_vanished_before_it_was_up_is_asked_for_again() -> None:
    loop = registered(old_is_live(), V1, V2)
    loop.look(acts=False)
    loop.look()

    assert loop.azure.deployments[NEW] == "Creating"


def test_an_endpoint_that_is_split_is_taken_over_only_when_the_policy_adopts_it() -> None:
    loop = registered(Loop(Azure({"a": 30, "b": 70}, deployments={"a": "Succeeded", "b": "Failed"})), V2)
    loop.look()
    assert (loop.phase(), NEW in loop.azure.deployments) == (Phase.DEPLOYING, False)

    loop.policy = POLICY.model_copy(update={"adopt": True})
    loop.look()

    assert loop.record is not None
    assert loop.azure.deployments[NEW] == "Creating"
    assert loop.record.live == "a", "the largest share that is healthy"


def test_an_endpoint_whose_deployments_have_no_live_traffic_is_no_empty_endpoint() -> None:
    loop = registered(Loop(Azure({}, deployments={OLD: "Succeeded"}, models={OLD: V1.id})), V1, V2)
    loop.look()
    assert loop.record is not None
    assert (loop.phase(), loop.record.flags) == (Phase.DEPLOYING, frozenset({Flag.HELD}))
    assert loop.record.reasons == (
        f"no deployment has live traffic, though {OLD} could serve: give one all of it, or set `adopt: true`",
    )
    assert NEW not in loop.azure.deployments

    loop.azure.traffic = {OLD: 100}
    loop.look()
    assert (NEW in loop.azure.deployments, loop.record.live) == (True, OLD)


def test_an_endpoint_without_live_traffic_is_begun_anew_when_the_policy_adopts_it() -> None:
    loop = registered(Loop(Azure({}, deployments={OLD: "Succeeded"}, models={OLD: V1.id})), V1, V2)
    loop.policy = POLICY.model_copy(update={"adopt": True})
    loop.look()

    assert loop.record is not None
    assert (NEW in loop.azure.deployments, loop.record.live) == (True, None)


@pytest.mark.parametrize("state", ["Failed", "Creating", "Deleting"])
def test_a_deployment_that_cannot_serve_is_in_nobodys_way_on_an_empty_endpoint(state: str) -> None:
    loop = registered(Loop(Azure({}, deployments={"theirs": state})), V2)
    loop.look()

    assert loop.azure.deployments[NEW] == "Creating"


def test_what_a_failed_first_version_left_is_in_nobodys_way() -> None:
    loop = deployed(registered(Loop(Azure()), V1))
    loop.look(smoke=Smoke(False, "answered 500"))
    assert (loop.phase(), loop.azure.deployments) == (Phase.FAILED, {OLD: "Succeeded"})

    registered(loop, V1, V2)
    loop.look()

    assert loop.azure.deployments[NEW] == "Creating"


def test_an_endpoint_in_other_hands_is_not_touched_by_the_end_of_the_rollout_either() -> None:
    loop = registered(Loop(Azure({"a": 100}, {"b": 20}, deployments={"a": "Succeeded", "b": "Succeeded"})), V2)
    loop.look()
    loop.look(DAY + HOUR)

    assert loop.phase() is Phase.FAILED
    assert (loop.azure.mirror, loop.azure.under_way) == ({"b": 20}, None)


def test_quota_that_azure_refuses_is_tried_again_later_and_another_refusal_fails() -> None:
    loop = registered(old_is_live(), V1, V2)
    loop.look()
    del loop.azure.deployments[NEW]
    assert loop.record is not None

    loop.record = replace(loop.record, refused="not enough Quota for Standard_F2s_v2")
    loop.look()
    assert (loop.record.next_look, loop.record.flags) == (loop.now + timedelta(minutes=5), frozenset({Flag.HELD}))
    loop.look(timedelta(minutes=5))
    assert loop.azure.deployments[NEW] == "Creating"

    del loop.azure.deployments[NEW]
    loop.record = replace(loop.record, refused="400 the environment does not exist")
    loop.look()
    assert loop.phase() is Phase.FAILED


def test_a_target_waits_for_the_one_before_it() -> None:
    loop = registered(old_is_live(), V1, V2)
    loop.look(earlier_target="waits for target staging, which is at version 2 (canary)")
    assert loop.record is not None
    assert loop.record.flags == frozenset({Flag.QUEUED_FOR_TARGET})

    loop.look()
    assert NEW in loop.azure.deployments


def test_the_time_in_which_an_earlier_target_bakes_is_not_taken_from_the_time_to_start() -> None:
    loop = registered(old_is_live(), V1, V2)
    for _ in range(5):
        loop.look(DAY, earlier_target="waits for target staging, which is at version 2 (full)")
        assert loop.phase() is Phase.DEPLOYING

    loop.azure.traffic = {"a": 60, "b": 40}
    loop.look(timedelta(hours=23))
    assert loop.phase() is Phase.DEPLOYING
    loop.look(2 * HOUR)
    assert loop.phase() is Phase.FAILED, "once it is its turn, the start has its own deadline"


def test_a_target_fails_with_the_reason_when_the_one_before_it_ended_without_the_version() -> None:
    loop = registered(old_is_live(), V1, V2)
    loop.look(earlier_target="waits for target staging")
    loop.look(earlier_failed="target staging ended rolled_back with version 2")

    assert loop.record is not None
    assert (loop.phase(), loop.azure.deployments) == (Phase.FAILED, {OLD: "Succeeded"})
    assert loop.record.reasons[0] == "target staging ended rolled_back with version 2"


def test_a_failed_deployment_that_somebody_gave_traffic_is_not_deleted() -> None:
    loop = registered(old_is_live(), V1, V2)
    loop.look()
    loop.azure.deploy("Canceled")
    loop.azure.mirror = {NEW: 10}

    loop.look()

    assert loop.azure.deployments[NEW] == "Canceled"
    assert loop.record is not None
    assert loop.record.flags == frozenset({Flag.HELD})


@pytest.mark.parametrize(("state", "phase"), [("Failed", Phase.DEPLOYING), ("Succeeded", Phase.DONE)])
def test_a_version_that_a_person_gave_all_live_traffic_is_done_when_it_serves_and_waits_when_it_does_not(
    state: str, phase: Phase
) -> None:
    loop = registered(old_is_live(), V1, V2)
    loop.azure.deployments[NEW] = state
    loop.azure.traffic = {NEW: 100}

    loop.look()

    assert (loop.phase(), loop.azure.traffic, loop.azure.under_way) == (phase, {NEW: 100}, None)
    assert loop.azure.deployments[NEW] == state, "what serves live traffic is not deleted"
