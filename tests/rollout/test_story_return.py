"""After a rollout is over: back with one write, or by deploying the last good version again; what is kept for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from policy.model import DeploymentSettings
from rollout.bodies import MADE_BY
from rollout.commands import Command, note, refusal
from rollout.decision import CarryAutoscale, CreateDeployment, SetTraffic
from rollout.endpoint import DeploymentSeen
from rollout.names import settings_digest
from rollout.observation import Freeze, Smoke
from rollout.phases import Flag, Phase
from rollout.record import Leftover, Served, Tried, Wish
from tests.rollout.azure import Loop
from tests.rollout.journey import DAY, HOUR, UNDER_WAY, WELL, before_retirement, deployed, done, in_canary, registered
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
    name_of,
    standing,
    versions,
)

BOTH = versions(V1, V2)


def retired() -> Loop:
    """Version 2 is in service and the deployment of version 1 is gone; its versions were listed."""
    loop = done()
    loop.look(versions=BOTH)
    return loop


def returning() -> Loop:
    """A person asked for the way back, the versions were listed, and version 1 is being deployed again."""
    loop = retired()
    loop.look(commands=(command("rollback"),))
    loop.look(versions=BOTH)
    loop.look()
    return loop


def gone_on(loop: Loop) -> Loop:
    """The deployment is up and tested, and has all of the traffic."""
    loop.azure.deploy()
    loop.look()
    loop.look(smoke=WELL)
    loop.until_read_back()
    return loop


@pytest.mark.parametrize("stop", ["pause", "nothing"])
@pytest.mark.parametrize("phase", ["retiring", "done"])
def test_within_the_retention_window_one_write_goes_back_whatever_stops_the_rollout(phase: str, stop: str) -> None:
    loop = UNDER_WAY[Phase.RETIRING]() if phase == "retiring" else before_retirement()
    if stop == "pause" and phase == "retiring":
        loop.look(commands=(command("pause"),))

    loop.look(commands=(command("rollback"),))
    assert loop.azure.under_way == ({OLD: 100}, {})
    loop.until_read_back()

    assert (loop.phase(), loop.azure.traffic) == (Phase.ROLLED_BACK, {OLD: 100})


def test_when_the_old_deployment_is_gone_its_version_is_deployed_again_and_gets_everything_at_once() -> None:
    loop = returning()
    assert loop.record is not None
    assert (loop.record.kind, loop.record.version, loop.phase()) == ("rollback", "1", Phase.DEPLOYING)
    assert "slow: the deployment must be made again" in loop.record.entries[-2].text
    assert loop.azure.traffic == {NEW: 100}, "what is live serves until it is up"

    gone_on(loop)
    assert loop.azure.traffic == {OLD: 100}
    loop.look(2 * HOUR)

    assert loop.phase() is Phase.DONE
    assert [entry.phase for entry in loop.record.entries][-1] is Phase.DONE
    assert {Phase.SHADOW, Phase.CANARY}.isdisjoint(entry.phase for entry in loop.record.entries)
    assert loop.record.reasons[1].endswith("after it was asked for")
    assert loop.record.leftovers == (Leftover(NEW, loop.now + DAY),), "what it came from goes like a failed candidate"
    loop.look(versions=BOTH)
    assert loop.record.number == 2, "the version that was taken back is not rolled out again by itself"


def test_it_is_made_at_once_in_the_size_that_all_of_the_traffic_needs() -> None:
    loop = retired()
    loop.azure.sizes[NEW] = 7
    loop.look(commands=(command("rollback"),))
    loop.look(versions=BOTH)
    decision = loop.look()

    assert decision is not None
    assert decision.actions == (CreateDeployment(OLD, V1.id, NEW, 7),)


def test_an_alert_goes_the_slow_way_too_but_does_not_turn_it_round_while_it_is_under_way_or_done() -> None:
    loop = retired()
    loop.look(alerts=(alert("rollback"),))
    loop.look(versions=BOTH)
    for _ in range(3):
        loop.look(alerts=(alert("rollback"),))
    assert loop.phase() is Phase.DEPLOYING
    gone_on(loop)
    loop.look(alerts=(alert("rollback"),))
    assert loop.phase() is Phase.FULL
    loop.look(2 * HOUR)
    loop.look(alerts=(alert("rollback"),))

    assert (loop.phase(), loop.azure.traffic) == (Phase.DONE, {OLD: 100})


def test_a_person_may_undo_it_with_one_write_while_what_it_came_from_is_up() -> None:
    loop = gone_on(returning())
    loop.look(2 * HOUR)
    loop.look(commands=(command("rollback"),))
    loop.until_read_back()

    assert (loop.phase(), loop.azure.traffic) == (Phase.ROLLED_BACK, {NEW: 100})


def test_a_deployment_that_fails_on_the_slow_way_leaves_what_is_live_and_ends_as_failed() -> None:
    loop = returning()
    loop.azure.deploy("Failed")
    loop.look()

    assert (loop.phase(), loop.azure.traffic) == (Phase.FAILED, {NEW: 100})


def test_a_smoke_test_that_fails_on_the_slow_way_leaves_what_is_live_and_ends_as_failed() -> None:
    loop = returning()
    loop.azure.deploy()
    loop.look()
    loop.look(smoke=Smoke(False, "answered 500"))

    assert (loop.phase(), loop.azure.traffic, loop.azure.under_way) == (Phase.FAILED, {NEW: 100}, None)


def test_a_deployment_that_is_lost_after_the_slow_way_gives_the_traffic_to_what_is_healthy() -> None:
    loop = gone_on(returning())
    loop.azure.deployments[OLD] = "Failed"
    loop.look()
    loop.until_read_back()

    assert (loop.phase(), loop.azure.traffic) == (Phase.FAILED, {NEW: 100})


def test_a_person_calls_the_slow_way_off_before_it_has_traffic() -> None:
    loop = returning()
    assert refusal(loop.record, Command("reject", "i", "r")) is None
    assert "`reject` calls that off" in (refusal(loop.record, Command("rollback", "i", "r")) or "")
    loop.look(commands=(command("reject"),))

    assert loop.record is not None
    assert (loop.phase(), loop.azure.traffic) == (Phase.FAILED, {NEW: 100})
    assert "called off by ann" in loop.record.reasons[0]


def test_the_door_says_that_the_way_back_is_slow_and_how_long_it_will_take() -> None:
    loop = retired()
    asked = Command("rollback", "i", "r")
    assert refusal(loop.record, asked) is None
    assert loop.record is not None
    assert note(replace(loop.record, deploy_seconds=0.0), asked).endswith("about 10 min")
    assert note(replace(loop.record, deploy_seconds=290.0), asked).endswith("about 5 min")
    assert note(before_retirement().record, asked) == ""
    assert "`start` an earlier version" in (refusal(replace(loop.record, earlier=()), asked) or "")


def test_without_the_list_of_versions_the_wish_is_kept_and_given_up_after_a_day() -> None:
    loop = retired()
    loop.look(alerts=(alert("rollback"),), unlisted=True)
    assert loop.record is not None
    asked = loop.now
    assert loop.record.wish == Wish("alert errors fired", asked)
    loop.look(unlisted=True)
    assert loop.record.wish == Wish("alert errors fired", asked)

    loop.look(DAY, unlisted=True)

    assert loop.record.wish is None
    assert "given up" in loop.record.entries[-1].text


def test_no_way_back_leads_to_a_version_that_lost_its_tag_or_never_served() -> None:
    loop = retired()
    loop.look(commands=(command("rollback"),))
    loop.look(versions=versions(V1, V2, eligible=(V2,)))

    assert loop.record is not None
    assert (loop.phase(), loop.record.number, loop.record.wish) == (Phase.DONE, 1, None)


@pytest.mark.parametrize("up", [True, False])
def test_a_tag_taken_off_the_live_version_goes_back_to_the_newest_that_carries_it(up: bool) -> None:
    loop = before_retirement() if up else retired()
    loop.look(versions=versions(V1, V2, eligible=(V1,)))

    assert loop.record is not None
    assert loop.record.kind == "rollback"
    if up:
        assert loop.azure.under_way == ({OLD: 100}, {})
        loop.until_read_back()
        assert loop.phase() is Phase.ROLLED_BACK
    else:
        assert (loop.phase(), loop.record.version) == (Phase.DEPLOYING, "1")
    assert "version 2 lost a tag" in str(loop.record.entries)


def test_a_tag_taken_off_what_has_been_live_since_a_later_version_failed_goes_back_too() -> None:
    loop = before_retirement()
    deployed(registered(loop, V1, V2, V3))
    loop.look(alerts=(alert("rollback"),))
    loop.until_read_back()
    loop.look(versions=versions(V1, V2, V3))
    assert (loop.phase(), loop.azure.traffic) == (Phase.ROLLED_BACK, {NEW: 100})

    loop.look(versions=versions(V1, V2, V3, eligible=(V1,)))

    assert loop.azure.under_way == ({OLD: 100}, {})


def test_a_live_version_that_is_only_not_listed_is_left_alone() -> None:
    loop = before_retirement()
    assert loop.record is not None
    loop.record = replace(loop.record, tried=(Tried("1", V1.created), *loop.record.tried))
    loop.look(versions=versions(V1))

    assert (loop.phase(), loop.record.number, loop.azure.under_way) == (Phase.DONE, 1, None)


def test_a_tag_taken_off_where_nothing_else_served_changes_nothing() -> None:
    loop = before_retirement()
    loop.look(versions=versions(V1, V2, eligible=()))

    assert (loop.phase(), loop.azure.under_way) == (Phase.DONE, None)


def test_keep_holds_the_newest_retired_deployments_and_the_way_back_stays_one_write() -> None:
    loop = UNDER_WAY[Phase.RETIRING]()
    loop.policy = POLICY.model_copy(update={"keep": 1})
    loop.look(2 * DAY)
    assert loop.record is not None
    assert (loop.phase(), loop.record.kept, loop.record.retired) == (Phase.DONE, (OLD,), False)

    registered(loop, V1, V2, V3)
    deployed(loop)
    loop.look(commands=(command("promote"),))
    loop.until_read_back()
    loop.look(2 * HOUR, evidence=SAFE)
    loop.look(2 * DAY)
    loop.azure.deploy()
    loop.look()

    assert (loop.phase(), loop.record.kept) == (Phase.DONE, (NEW,))
    assert sorted(loop.azure.deployments) == sorted([NEW, name_of(V3)])
    loop.look(alerts=(alert("rollback"),))
    assert loop.azure.under_way == ({NEW: 100}, {})


@pytest.mark.parametrize(("made_by", "again"), [("", True), ("same", True), ("other", False)])
def test_a_retry_takes_a_new_name_where_the_deployment_is_up_that_other_settings_made(
    made_by: str, again: bool
) -> None:
    loop = in_canary()
    loop.look(alerts=(alert("rollback"),))
    loop.until_read_back()
    settings = DeploymentSettings(instance_type="Standard_F4s_v2")
    policy = POLICY.model_copy(update={"deployment": settings})
    tag = settings_digest(settings) if made_by == "same" else made_by
    world = loop.azure.seen()
    there = {**world.deployments, NEW: DeploymentSeen(NEW, "Succeeded", V2.id, made_by=tag)}

    decision = decided(
        loop.record, replace(world, deployments=there), policy=policy, commands=(command("retry"),), versions=BOTH
    )

    assert (decision.record.candidate == NEW) == again
    assert decision.record.candidate.startswith("card-2-")
    assert MADE_BY == "understudy-settings"
    assert bool(decision.record.leftovers) != again, "what the first try left is deleted all the same"


def test_a_paused_way_back_waits_with_the_deployment_up() -> None:
    loop = returning()
    loop.look(commands=(command("pause"),))
    loop.azure.deploy()
    loop.look(timedelta(minutes=5))

    assert loop.record is not None
    assert (loop.phase(), loop.record.flags) == (Phase.DEPLOYING, frozenset({Flag.PAUSED}))


def test_a_freeze_stops_neither_the_fast_way_back_nor_the_slow_one() -> None:
    frozen = Freeze("f", "all", "ann", "the fair", NOW + 99 * DAY)
    loop = before_retirement()
    loop.look(commands=(command("rollback"),), freezes=(frozen,))
    assert loop.azure.under_way == ({OLD: 100}, {})

    slow = retired()
    slow.look(commands=(command("rollback"),), freezes=(frozen,))
    slow.look(versions=BOTH, freezes=(frozen,))
    slow.look(freezes=(frozen,))
    slow.azure.deploy()
    slow.look(freezes=(frozen,))
    slow.look(smoke=WELL, freezes=(frozen,))

    assert slow.azure.under_way == ({OLD: 100}, {})


def test_harm_that_is_seen_just_after_the_old_deployment_was_deleted_goes_the_slow_way() -> None:
    loop = UNDER_WAY[Phase.RETIRING]()
    del loop.azure.deployments[OLD]
    loop.look(alerts=(alert("rollback"),))
    loop.look(versions=BOTH)

    assert loop.record is not None
    assert (loop.record.kind, loop.record.version, loop.phase()) == ("rollback", "1", Phase.DEPLOYING)


def test_a_slow_way_back_does_not_wait_for_autoscale_settings_that_cannot_be_read() -> None:
    begins = standing(Phase.DEPLOYING, kind="rollback", since=None, candidate=OLD, live=NEW)

    decision = decided(begins, endpoint({NEW: 100}, old=""), autoscaled=None)

    assert [type(action) for action in decision.actions] == [CreateDeployment]


def test_a_slow_way_back_sends_its_traffic_before_it_carries_the_autoscale_settings() -> None:
    full = standing(
        Phase.FULL,
        kind="rollback",
        candidate=OLD,
        live=NEW,
        since=None,
        autoscaled=True,
        asked=None,
        traffic={NEW: 100},
    )

    decision = decided(full, endpoint({NEW: 100}))

    assert [type(action) for action in decision.actions] == [SetTraffic, CarryAutoscale]


def test_harm_in_the_bake_after_somebody_deleted_the_old_deployment_deploys_its_version_again() -> None:
    bake = standing(Phase.FULL, earlier=(Served("1", V1.id, OLD),))

    ended = decided(bake, endpoint({NEW: 100}, old=""), alerts=(alert("rollback"),)).record
    assert (ended.phase, ended.wish) == (Phase.DONE, Wish("alert errors fired", NOW))
    begun = decided(ended, endpoint({NEW: 100}, old=""), versions=versions(V1, V2)).record

    assert (begun.kind, begun.version, begun.phase) == ("rollback", "1", Phase.DEPLOYING)
