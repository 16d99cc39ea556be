"""A version that does well, look by look, from its registration to all of the traffic."""

from __future__ import annotations

from datetime import timedelta

from policy.durations import lasting
from rollout.observation import Smoke
from rollout.phases import Phase
from tests.rollout.azure import Azure, Loop
from tests.rollout.journey import (
    DAY,
    HOUR,
    POLICY_WITH_TWO_CANARIES,
    WELL,
    awaiting_approval,
    deployed,
    done,
    old_is_live,
    registered,
    waiting,
)
from tests.rollout.world import HARM, NEW, OLD, SAFE, UNKNOWN, V1, V2, alert, command, policy_of, versions


def test_a_good_version_goes_from_its_registration_to_all_traffic_and_the_old_one_is_deleted() -> None:
    loop = registered(old_is_live(), V1, V2)
    assert loop.phase() is Phase.DEPLOYING

    deployed(loop)
    assert (loop.phase(), loop.azure.traffic) == (Phase.TESTING, {OLD: 100})

    loop.look(smoke=WELL)
    assert loop.phase() is Phase.SHADOW
    loop.until_read_back()
    assert (loop.azure.traffic, loop.azure.mirror) == ({OLD: 100}, {NEW: 20})

    loop.look(2 * HOUR, evidence=SAFE)
    assert loop.phase() is Phase.CANARY
    loop.until_read_back()
    assert (loop.azure.traffic, loop.azure.mirror) == ({OLD: 90, NEW: 10}, {})

    loop.look(HOUR, evidence=SAFE)
    assert loop.phase() is Phase.AWAITING_APPROVAL
    loop.look(HOUR)
    loop.look(commands=(command("approve"),))
    assert loop.phase() is Phase.WAITING
    loop.look(timedelta(minutes=59))
    loop.look(HOUR)
    assert loop.phase() is Phase.CHECKING
    assert loop.azure.traffic == {OLD: 90, NEW: 10}, "approval, wait and check keep the canary's split"

    loop.look()
    loop.look(evidence=SAFE)
    assert loop.phase() is Phase.FULL
    loop.until_read_back()
    assert loop.azure.traffic == {NEW: 100}

    loop.look(timedelta(minutes=50), evidence=SAFE)
    assert loop.phase() is Phase.FULL, "the bake is not over"
    loop.look(timedelta(minutes=20), evidence=SAFE)
    assert loop.phase() is Phase.RETIRING
    loop.look(timedelta(hours=23))
    assert OLD in loop.azure.deployments, "until then rolling back is one traffic write"
    loop.look(2 * HOUR)
    loop.azure.deploy()
    loop.look()
    assert (loop.phase(), set(loop.azure.deployments)) == (Phase.DONE, {NEW})


def test_the_history_tells_the_whole_way() -> None:
    record = done().record
    assert record is not None

    decisions = [entry.text.split(":")[0] for entry in record.entries if entry.cause == "decision"]

    assert decisions == [
        "rollout of version 2",
        "smoke",
        "shadow 20 %",
        "canary 10 %",
        "approval",
        "wait",
        "check",
        "full",
        "retire",
        "done",
    ]


def test_a_second_canary_step_takes_more_traffic_on_new_evidence_only() -> None:
    text = POLICY_WITH_TWO_CANARIES
    loop = Loop(Azure({OLD: 100}, deployments={OLD: "Succeeded"}, models={OLD: V1.id}), policy_of(text))
    deployed(registered(loop, V1, V2))
    loop.until_read_back()
    assert loop.azure.traffic == {OLD: 90, NEW: 10}

    loop.look(2 * HOUR, evidence=SAFE)
    loop.until_read_back()
    assert loop.azure.traffic == {OLD: 50, NEW: 50}

    loop.look(2 * HOUR, evidence=UNKNOWN)
    assert (loop.phase(), loop.azure.traffic) == (Phase.CANARY, {OLD: 50, NEW: 50})
    loop.look(evidence=SAFE)
    assert loop.phase() is Phase.FULL


def test_without_a_retire_step_the_old_deployment_stays() -> None:
    loop = Loop(old_is_live().azure, policy_of(POLICY_WITH_TWO_CANARIES))
    deployed(registered(loop, V1, V2))
    loop.until_read_back()
    loop.look(commands=(command("promote"),))
    loop.until_read_back()
    loop.look(2 * HOUR, evidence=SAFE)

    assert (loop.phase(), set(loop.azure.deployments)) == (Phase.DONE, {OLD, NEW})


def test_the_first_version_on_an_empty_endpoint_is_tested_and_gets_all_traffic_without_any_comparison() -> None:
    loop = registered(Loop(Azure()), V1)
    deployed(loop)
    assert (loop.phase(), loop.azure.traffic) == (Phase.TESTING, {})

    loop.look(smoke=WELL)
    assert loop.phase() is Phase.FULL
    loop.until_read_back()
    assert loop.azure.traffic == {OLD: 100}

    loop.look(2 * HOUR)
    assert loop.phase() is Phase.DONE


def test_the_first_version_in_service_stays_when_harm_is_seen_because_there_is_nothing_to_go_back_to() -> None:
    loop = registered(Loop(Azure()), V1)
    deployed(loop)
    loop.look(smoke=WELL)
    loop.until_read_back()

    loop.look(alerts=(alert("rollback"),))

    assert (loop.phase(), loop.azure.traffic, loop.azure.under_way) == (Phase.FULL, {OLD: 100}, None)
    assert loop.record is not None
    assert "there is nothing to go back to" in loop.record.reasons[-1]


def test_a_newer_version_takes_over_from_a_first_version_that_does_harm() -> None:
    loop = registered(Loop(Azure()), V1)
    deployed(loop)
    loop.look(smoke=WELL)
    loop.until_read_back()

    loop.look(HOUR, evidence=HARM, versions=versions(V1, V2))
    assert (loop.phase(), loop.azure.traffic) == (Phase.SUPERSEDED, {OLD: 100})
    loop.look(versions=versions(V1, V2))

    assert loop.record is not None
    assert (loop.record.phase, loop.record.version, loop.record.candidate) == (Phase.DEPLOYING, "2", NEW)
    loop.look()
    assert loop.record.live == OLD


def test_a_first_version_that_fails_its_smoke_test_never_gets_traffic_and_is_deleted_later() -> None:
    loop = registered(Loop(Azure()), V1)
    deployed(loop)
    loop.look(smoke=Smoke(False, "request 1: answered 500"))
    assert (loop.phase(), loop.azure.traffic) == (Phase.FAILED, {})

    loop.look(versions=versions(V1))
    loop.look(DAY)
    loop.azure.deploy()

    assert loop.azure.deployments == {}


def test_an_approval_says_how_long_it_is_still_waited_for() -> None:
    loop = awaiting_approval()
    loop.look(DAY)

    assert loop.record is not None
    left = timedelta(days=2) - (loop.now - loop.record.entered)
    assert loop.record.reasons == (f"waiting for approval, {lasting(left)} left",)


def test_a_wait_is_over_when_its_time_has_just_passed() -> None:
    loop = waiting()
    assert loop.record is not None
    assert loop.record.since is not None
    loop.look(loop.record.since + HOUR - timedelta(seconds=1) - loop.now)
    assert loop.phase() is Phase.WAITING
    loop.look(timedelta(seconds=1))

    assert loop.phase() is Phase.CHECKING
