"""A rollout that failed with its version still in service: who asks for the way back later is heard."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from rollout.commands import Command, note, refusal
from rollout.phases import Flag, Phase
from tests.rollout.azure import Azure, Loop
from tests.rollout.journey import DAY, HOUR, UNDER_WAY, WELL, done, in_canary
from tests.rollout.world import NEW, OLD, POLICY, SAFE, V1, V2, alert, command, standing, versions

ASKED = Command("rollback", "i", "r")
BOTH = versions(V1, V2)
BY: dict[str, dict[str, Any]] = {
    "alert": {"alerts": (alert("rollback"),)},
    "command": {"commands": (command("rollback"),)},
}


def stuck(phase: Phase = Phase.FULL) -> Loop:
    """Harm was seen, and for a day there was nothing healthy to go back to."""
    loop = UNDER_WAY[phase]()
    loop.azure.deployments[OLD] = "Failed"
    loop.look(alerts=(alert("rollback"),))
    loop.look(DAY + HOUR)
    loop.look(versions=BOTH)
    assert (loop.phase(), bool(loop.azure.traffic.get(NEW)), loop.azure.under_way) == (Phase.FAILED, True, None)
    return loop


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("phase", [Phase.CANARY, Phase.FULL, Phase.RETIRING])
def test_when_the_old_deployment_is_healthy_again_one_write_goes_back(phase: Phase, by: str) -> None:
    loop = stuck(phase)
    assert refusal(loop.record, ASKED) is None
    loop.azure.deployments[OLD] = "Succeeded"

    loop.look(DAY, **BY[by])
    assert loop.azure.under_way == ({OLD: 100}, {})
    loop.until_read_back()

    assert loop.record is not None
    assert (loop.record.kind, loop.phase(), loop.azure.traffic) == ("rollback", Phase.ROLLED_BACK, {OLD: 100})
    assert "going back after failed" in str(loop.record.entries)


@pytest.mark.parametrize("by", BY)
def test_while_it_is_not_its_version_is_deployed_again(by: str) -> None:
    loop = stuck()
    loop.look(**BY[by])
    loop.look(versions=BOTH)
    assert loop.record is not None
    assert (loop.record.kind, loop.record.version, loop.phase()) == ("rollback", "1", Phase.DEPLOYING)

    for _ in range(3):
        loop.look()
        loop.azure.deploy()
    loop.look()
    loop.look(smoke=WELL)
    loop.until_read_back()
    assert (loop.phase(), loop.azure.traffic) == (Phase.FULL, {OLD: 100})


def test_while_no_version_may_be_deployed_again_the_old_deployment_is_waited_for() -> None:
    loop = stuck()
    loop.look(alerts=(alert("rollback"),))
    loop.look(versions=versions(V1, V2, eligible=(V2,)))
    assert loop.record is not None
    assert (loop.record.kind, loop.phase(), loop.record.flags) == (
        "rollback",
        Phase.ROLLING_BACK,
        frozenset({Flag.HELD}),
    )
    loop.azure.deployments[OLD] = "Succeeded"
    loop.look(HOUR)
    assert loop.azure.under_way == ({OLD: 100}, {})


def test_in_a_shared_split_the_old_deployment_is_waited_for_and_the_wait_ends_again() -> None:
    loop = stuck(Phase.CANARY)
    loop.look(alerts=(alert("rollback"),))
    assert loop.phase() is Phase.ROLLING_BACK
    loop.look(DAY + HOUR)
    assert loop.phase() is Phase.FAILED

    loop.look(alerts=(alert("rollback"),))
    loop.azure.deployments[OLD] = "Succeeded"
    loop.look()
    assert loop.azure.under_way == ({OLD: 100}, {})


def test_an_endpoint_that_cannot_be_read_is_read_again_before_anything_is_given_up() -> None:
    loop = stuck()
    loop.azure.deployments[OLD] = "Succeeded"
    loop.look(there=False, alerts=(alert("rollback"),))
    loop.look()
    assert loop.azure.under_way == ({OLD: 100}, {})


def test_a_way_back_whose_endpoint_could_not_be_read_for_a_day_has_failed_and_is_asked_for_again() -> None:
    loop = in_canary()
    loop.look(there=False, alerts=(alert("rollback"),))
    loop.look(DAY + HOUR, there=False)
    assert loop.phase() is Phase.FAILED
    assert refusal(loop.record, ASKED) is None

    loop.look(alerts=(alert("rollback"),))
    assert loop.azure.under_way == ({OLD: 100}, {})


@pytest.mark.parametrize("by", BY)
def test_a_forgotten_rollout_that_ended_where_it_stands_goes_back_with_one_write(by: str) -> None:
    loop = UNDER_WAY[Phase.FULL]()
    loop.look(evidence=SAFE, commands=(command("pause"),))
    loop.look(timedelta(days=8), evidence=SAFE)
    assert loop.phase() is Phase.FAILED
    assert (refusal(loop.record, ASKED), note(loop.record, ASKED)) == (None, "")

    loop.look(**BY[by])
    loop.until_read_back()
    assert (loop.phase(), loop.azure.traffic) == (Phase.ROLLED_BACK, {OLD: 100})
    loop.look(2 * DAY, versions=BOTH)
    assert loop.azure.deployments == {OLD: "Succeeded", NEW: "Deleting"}, "what has the traffic is not deleted"


def test_after_its_old_deployment_was_deleted_the_way_back_is_slow_and_the_door_says_so() -> None:
    loop = UNDER_WAY[Phase.FULL]()
    loop.look(evidence=SAFE, commands=(command("pause"),))
    loop.look(timedelta(days=8), evidence=SAFE)
    loop.look(2 * DAY, versions=BOTH)
    loop.azure.deploy()
    loop.look()
    assert OLD not in loop.azure.deployments
    assert note(loop.record, ASKED).startswith("slow: ")

    loop.look(commands=(command("rollback"),))
    loop.look(versions=BOTH)
    assert loop.record is not None
    assert (loop.record.kind, loop.record.version, loop.phase()) == ("rollback", "1", Phase.DEPLOYING)


def slow_way_that_failed() -> Loop:
    """After done the old deployment is gone; a way back was asked for, and the new deployment of version 1 failed."""
    loop = done()
    loop.look(versions=BOTH)
    loop.look(commands=(command("rollback"),))
    loop.look(versions=BOTH)
    loop.look()
    loop.azure.deploy("Failed")
    loop.look()
    loop.look(versions=BOTH)
    assert (loop.phase(), loop.azure.traffic) == (Phase.FAILED, {NEW: 100})
    return loop


def test_a_slow_way_back_that_failed_is_tried_again_when_a_person_asks_and_not_for_an_alert() -> None:
    loop = slow_way_that_failed()
    assert loop.record is not None
    number = loop.record.number
    loop.look(alerts=(alert("rollback"),))
    assert (loop.phase(), loop.record.number) == (Phase.FAILED, number)

    assert refusal(loop.record, ASKED) is None
    assert note(loop.record, ASKED).startswith("slow: ")
    loop.look(commands=(command("rollback"),))
    loop.look(versions=BOTH)
    assert (loop.record.number, loop.record.kind, loop.record.version) == (number + 1, "rollback", "1")
    assert (loop.phase(), loop.azure.traffic) == (Phase.DEPLOYING, {NEW: 100})


def test_what_failed_its_smoke_test_on_the_slow_way_is_tested_again_before_it_gets_traffic() -> None:
    loop = slow_way_that_failed()
    loop.azure.deployments[OLD] = "Succeeded"
    loop.look(commands=(command("rollback"),))
    loop.look(versions=BOTH)
    loop.look()
    loop.look()
    assert (loop.phase(), loop.azure.under_way) == (Phase.TESTING, None)


@pytest.mark.parametrize("by", BY)
def test_a_rollout_that_failed_without_leaving_anything_live_has_nothing_to_go_back_from(by: str) -> None:
    azure = Azure({OLD: 100}, deployments={OLD: "Succeeded", NEW: "Failed"}, models={OLD: V1.id, NEW: V2.id})
    loop = Loop(azure, POLICY, standing(Phase.FAILED))
    assert refusal(loop.record, ASKED) == "the rollout is over (failed)"
    loop.look(**BY[by])
    assert (loop.phase(), loop.azure.under_way) == (Phase.FAILED, None)


@pytest.mark.parametrize("by", BY)
def test_a_first_version_that_failed_in_service_stays_for_there_is_nothing_to_go_back_to(by: str) -> None:
    azure = Azure({NEW: 100}, deployments={NEW: "Succeeded"}, models={NEW: V2.id})
    loop = Loop(azure, POLICY, standing(Phase.FAILED, live=None, traffic={NEW: 100}))
    assert "this is the first version" in (refusal(loop.record, ASKED) or "")
    loop.look(**BY[by])
    assert (loop.phase(), loop.azure.traffic, loop.azure.under_way) == (Phase.FAILED, {NEW: 100}, None)
