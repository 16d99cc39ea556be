"""Capacity comes before traffic: what is made, what is waited for, and what happens when Azure has none."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from policy.model import DeploymentSettings
from rollout.capacity import lacking
from rollout.decision import CarryAutoscale, CreateDeployment, DeleteDeployment, SaveLogs, ScaleDeployment, SetTraffic
from rollout.endpoint import DeploymentSeen
from rollout.phases import Flag, Phase
from tests.rollout.azure import NO_QUOTA, Loop
from tests.rollout.journey import HOUR, WELL, deployed, old_is_live, registered
from tests.rollout.world import NEW, OLD, POLICY, SAFE, V1, V2, alert, command, decided, deployment

MINUTE = timedelta(minutes=1)


def live_with(instances: int, instance_count: int | None = None) -> Loop:
    """Version 2 was registered on an endpoint whose version 1 has so many instances."""
    loop = old_is_live()
    loop.azure.sizes = {OLD: instances}
    loop.policy = POLICY.model_copy(update={"deployment": DeploymentSettings(instance_count=instance_count)})
    return registered(loop, V1, V2)


def before_its_canary(loop: Loop) -> Loop:
    """Its shadow has shown that it is safe; the next look enters the canary of 10 %."""
    deployed(loop)
    loop.look(smoke=WELL)
    loop.until_read_back()
    return loop


@pytest.mark.parametrize(("says", "made"), [(None, 2), (20, 4), (1, 1)])
def test_the_candidate_is_made_with_what_its_first_share_needs_of_the_policys_number_or_the_live_ones(
    says: int | None, made: int
) -> None:
    loop = live_with(10, says)
    decision = loop.look()

    assert decision is not None
    assert decision.actions == (CreateDeployment(NEW, V2.id, OLD, made),)


def test_the_instances_for_the_next_share_are_asked_for_and_read_back_before_the_share_is() -> None:
    loop = before_its_canary(live_with(40))
    loop.azure.sizes[NEW] = 2

    scaled = loop.look(2 * HOUR, evidence=SAFE)
    assert (loop.phase(), scaled and scaled.actions) == (Phase.CANARY, (ScaleDeployment(NEW, 4),))
    waiting = loop.look()
    assert waiting is not None
    assert waiting.actions == ()
    assert "is Scaling: its traffic waits for its instances" in waiting.record.reasons[0]
    loop.azure.deploy()
    written = loop.look()

    assert written is not None
    assert written.actions == (SetTraffic({OLD: 90, NEW: 10}, {}),)


def test_a_live_deployment_that_shrinks_with_its_share_is_still_replaced_in_the_size_that_it_had() -> None:
    loop = before_its_canary(live_with(10))
    loop.azure.sizes[OLD] = 1  # another, such as autoscale, made it smaller
    loop.look(2 * HOUR, evidence=SAFE)
    loop.until_read_back()
    decision = loop.look(commands=(command("promote"),))

    assert decision is not None
    assert decision.actions == (ScaleDeployment(NEW, 10),)


def test_the_old_deployment_keeps_its_instances_until_it_is_gone_and_going_back_asks_for_none() -> None:
    loop = before_its_canary(live_with(40))
    loop.look(2 * HOUR, evidence=SAFE)
    loop.azure.deploy()
    loop.look()
    loop.until_read_back()
    assert loop.azure.sizes[OLD] == 40

    loop.azure.no_quota, loop.azure.sizes[OLD] = True, 3  # somebody took them away
    loop.look(alerts=(alert("rollback"),))
    assert loop.azure.under_way == ({OLD: 100}, {})
    loop.until_read_back()

    assert loop.phase() is Phase.ROLLED_BACK
    assert loop.record is not None
    assert f"deployment {OLD} has 3 of the 40 instances that it had" in "; ".join(loop.record.reasons)


def test_without_quota_the_start_holds_with_the_missing_cores_and_asks_later_and_later_until_it_fails() -> None:
    loop = live_with(10)
    loop.azure.no_quota = True
    loop.look()
    asked = [loop.now]
    for _ in range(80):
        decision = loop.look()
        if decision is not None and any(isinstance(one, CreateDeployment) for one in decision.actions):
            asked.append(loop.now)
        elif loop.phase() is Phase.DEPLOYING:
            assert loop.record is not None
            assert loop.record.flags == {Flag.HELD}
            assert loop.record.reasons[0].startswith("no quota: 8 more cores are needed, so raise the quota by 2")
            assert loop.record.next_look is not None
            loop.now = max(loop.now, loop.record.next_look)
        else:
            break

    waits = [later - one for one, later in pairwise(asked)]
    assert [round(wait / MINUTE) for wait in waits[:6]] == [6, 11, 21, 41, 61, 61]
    assert loop.phase() is Phase.FAILED
    assert loop.record is not None
    assert "not started within 1d: no quota" in loop.record.reasons[0]


def test_without_quota_for_a_larger_share_the_step_holds_watches_and_goes_on_when_quota_returns() -> None:
    loop = before_its_canary(live_with(40))
    loop.azure.sizes[NEW], loop.azure.no_quota = 2, True
    loop.look(2 * HOUR, evidence=SAFE)
    loop.look()
    assert loop.record is not None
    assert loop.record.flags == {Flag.HELD}
    assert loop.record.next_look is not None
    assert loop.record.next_look - loop.now < MINUTE, "harm is watched while it waits"

    loop.azure.no_quota = False
    loop.look(10 * MINUTE)
    loop.azure.deploy()
    loop.look()

    assert loop.azure.under_way == ({OLD: 90, NEW: 10}, {})


@pytest.mark.parametrize("action", ["retry", "resume"])
def test_a_retry_or_a_resume_asks_for_quota_at_once(action: str) -> None:
    loop = live_with(10)
    loop.azure.no_quota = True
    loop.look()
    loop.look()
    loop.azure.no_quota = False

    decision = loop.look(commands=(command(action),))

    assert decision is not None
    assert decision.actions == (CreateDeployment(NEW, V2.id, OLD, 2),)


def test_a_step_that_gets_no_quota_by_its_deadline_goes_back_and_says_why() -> None:
    loop = before_its_canary(live_with(40))
    loop.azure.sizes[NEW], loop.azure.no_quota = 2, True
    for _ in range(40):
        loop.look(HOUR, evidence=SAFE)
        loop.azure.settle()

    assert loop.phase() is Phase.ROLLED_BACK
    assert loop.record is not None
    assert "not ready by the deadline" in loop.record.reasons[0]
    assert "no quota" in loop.record.reasons[0]


def test_instances_whose_making_failed_send_the_traffic_back() -> None:
    loop = before_its_canary(live_with(40))
    loop.azure.sizes[NEW] = 2
    loop.look(2 * HOUR, evidence=SAFE)
    loop.azure.deploy("Failed")
    loop.look()
    loop.until_read_back()

    assert loop.phase() is Phase.ROLLED_BACK
    assert loop.azure.traffic == {OLD: 100}


def test_where_autoscale_moves_the_live_deployment_its_number_counts_and_its_settings_come_before_all_traffic() -> None:
    loop = live_with(10, instance_count=2)
    created = loop.look(autoscaled=True)
    assert created is not None
    assert created.actions == (CreateDeployment(NEW, V2.id, OLD, 2),), "a fifth of 10, not of the policy's 2"
    loop.azure.deploy()
    loop.look()
    loop.look(commands=(command("promote"),))
    loop.azure.deploy()

    written = loop.look()

    assert written is not None
    assert written.actions == (CarryAutoscale(OLD, NEW), SetTraffic({NEW: 100}, {}))
    assert loop.azure.sizes[NEW] == 10


def test_autoscale_that_cannot_be_read_holds_the_start() -> None:
    loop = live_with(10)
    decision = loop.look(autoscaled=None, trouble=("403 listing autoscale settings",))

    assert decision is not None
    assert decision.actions == ()
    assert decision.record.reasons == (
        "the autoscale settings could not be read",
        "403 listing autoscale settings",
    )


@pytest.mark.parametrize(
    ("refusal", "begins"),
    [
        (NO_QUOTA, "8 more cores are needed, so raise the quota by 2 or free as many: PUT"),
        ("Additional needed: 16", "16 more cores are needed: Additional"),
        ("no room", "no room"),
    ],
)
def test_a_refusal_for_lack_of_quota_says_how_many_cores_are_missing(refusal: str, begins: str) -> None:
    assert lacking(refusal).startswith(begins)


@pytest.mark.parametrize(
    ("refusal", "waits"),
    [
        ("PUT .../deployments/new: 400 (OutOfQuota) no room in the region", True),
        ("PUT .../onlineEndpoints/fx: 400 Endpoint Quota reached for subscription s. usage/limit: 300/300", True),
        ("PUT .../onlineEndpoints/quota/deployments/sales-quota-1: 400 unknown environment", False),
        ("PUT .../deployments/new: 400 model quota-check:3 has no flavor python_function", False),
    ],
)
def test_only_a_refusal_for_lack_of_quota_is_waited_out_and_not_one_that_names_a_quota_by_chance(
    refusal: str, waits: bool
) -> None:
    loop = live_with(10)
    loop.look()
    assert loop.record is not None
    record = replace(loop.record, refused=refusal, since=None)

    next_one = decided(record, replace(loop.azure.seen(), deployments={OLD: deployment(OLD)}), policy=loop.policy)

    assert (next_one.record.phase is Phase.DEPLOYING) == waits
    assert bool(next_one.record.short) == waits


def test_a_first_provisioning_that_gave_way_to_another_operation_is_made_again() -> None:
    loop = live_with(10)
    loop.look()
    world = loop.azure.seen()
    failed = DeploymentSeen(NEW, "Failed", V2.id, "(OperationCanceled) a higher priority operation")
    there = replace(world, deployments={**world.deployments, NEW: failed})

    again = decided(loop.record, there, policy=loop.policy)

    assert again.actions == (SaveLogs(NEW), DeleteDeployment(NEW))
    assert again.record.phase is Phase.DEPLOYING
