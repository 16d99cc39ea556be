"""Batch endpoints: what is only observed, what a freeze stops, and the way back after the old deployment is gone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from policy.load import load
from rollout.decision import Action, CancelJob, CreateDeployment, SetTraffic, StartJob
from rollout.observation import Freeze
from rollout.phases import Flag, Phase
from rollout.sample import job_name, whose_jobs
from rollout.verdict import Arm, Evidence
from tests.rollout.azure import Azure, Loop
from tests.rollout.batch_world import ALIKE, PLACE, POLICY, TEXT, job, seen_with
from tests.rollout.journey import DAY, HOUR
from tests.rollout.world import NEW, NOW, OLD, V1, V2, V3, alert, command, freeze, name_of, versions

BOTH = versions(V1, V2)
NO_JOBS = Evidence(NOW, NOW, Arm(10, 0), Arm(), source="jobs")
NIGHTLY = load(
    f'{TEXT}freeze: [{{from: "18:00", to: "08:00", time_zone: UTC, reason: nobody is here}}]\n', "credit.yaml"
)


class Batch(Loop):
    """The loop around a batch endpoint, whose jobs on the sample complete with equal rows when they are let."""

    def jobs(self, state: str = "Completed") -> dict[str, Any]:
        """What a look sees of the jobs that the present phase waits for, once those that run have come to `state`."""
        assert self.record is not None
        if not whose_jobs(self.record):
            return {}
        for name, (now, created) in self.azure.jobs.items():
            if now == "Running":
                self.azure.jobs[name] = (state, created)
        record = self.record
        seen = [
            job(record, whose, self.azure.jobs[name][0], created=self.azure.jobs[name][1], late=False)
            for whose in whose_jobs(record)
            for name in [job_name(record, whose, 0)]
            if name in self.azure.jobs
        ]
        return seen_with(record, *seen, compared=ALIKE if len(seen) == 2 and state == "Completed" else None)

    def go(self, after: timedelta = HOUR, **seen: Any) -> list[Action]:
        """A look before which Azure did all that it was asked; what it decided to do."""
        self.azure.settle()
        self.azure.deploy()
        assert self.record is not None
        more = self.jobs()
        if self.record.phase in (Phase.FULL, Phase.RETIRING):
            more["evidence"] = NO_JOBS
        decision = self.look(after, **(more | seen))
        return list(decision.actions) if decision is not None else []


def live(policy: Any = POLICY) -> Batch:
    """Version 1 is the default deployment, and version 2 was registered."""
    azure = Azure({OLD: 100}, deployments={OLD: "Succeeded"}, models={OLD: V1.id})
    loop = Batch(azure, policy, place=PLACE)
    loop.look(versions=BOTH)
    return loop


def until(loop: Batch, phase: Phase, **seen: Any) -> Batch:
    """Looks up to the first in this phase."""
    for _ in range(60):
        if loop.phase() is phase:
            return loop
        approves = (command("approve"),) if loop.phase() is Phase.AWAITING_APPROVAL else ()
        loop.go(commands=approves, **seen)
    raise AssertionError(f"still {loop.phase()}: {loop.record.reasons if loop.record else ''}")


def retired() -> Batch:
    """Version 2 is the default deployment, and that of version 1 is gone."""
    loop = live()
    until(loop, Phase.RETIRING)
    loop.go(2 * DAY)
    until(loop, Phase.DONE)
    loop.look(versions=BOTH)
    assert OLD not in loop.azure.deployments
    return loop


def kinds(actions: list[Action]) -> list[type[Action]]:
    return [type(action) for action in actions]


def test_what_would_be_done_is_told_and_nothing_is_made_no_job_either_and_act_begins_it() -> None:
    loop = live(POLICY.model_copy(update={"mode": "observe"}))
    for _ in range(3):
        assert loop.go(DAY) == []
    assert loop.record is not None
    assert (loop.phase(), loop.record.flags) == (Phase.DEPLOYING, frozenset({Flag.OBSERVE}))
    plan = f"would create deployment {NEW} as a copy of {OLD}; then smoke, shadow 20 %, approval, wait, check, full, "
    plan += "retire"
    assert loop.record.reasons == (f"only observed: {plan}",), "a canary is left out"
    assert (set(loop.azure.deployments), loop.azure.jobs) == ({OLD}, {})

    loop.policy = POLICY
    assert kinds(loop.go()) == [CreateDeployment]
    until(loop, Phase.DONE)
    assert loop.azure.traffic == {NEW: 100}


def test_what_went_live_by_other_hands_is_done_and_a_way_back_is_only_told() -> None:
    loop = live(POLICY.model_copy(update={"mode": "observe"}))
    loop.azure.deployments["by-hand"], loop.azure.models["by-hand"] = "Succeeded", V2.id
    loop.azure.traffic = {"by-hand": 100}
    loop.go()
    assert loop.phase() is Phase.DONE

    assert loop.go(commands=(command("rollback"),)) == []
    assert loop.record is not None
    assert loop.record.entries[-1].text.endswith("; only observed")


def test_a_freeze_stops_the_deployment_the_jobs_the_switch_and_the_deletion_and_each_goes_on_after_it() -> None:
    loop = live()
    for phase, goes_on in (
        (Phase.DEPLOYING, CreateDeployment),
        (Phase.TESTING, StartJob),
        (Phase.CHECKING, SetTraffic),
    ):
        until(loop, phase)
        frozen = (freeze(loop.now + 2 * DAY),)
        if phase is Phase.TESTING:
            loop.azure.jobs.clear()
        for _ in range(2):
            actions = loop.go(freezes=frozen)
            assert actions == [], phase
            assert loop.phase() is phase
        assert goes_on in kinds(loop.go()), phase


FREEZES: dict[str, Callable[[Batch], dict[str, Any]]] = {
    "object": lambda loop: {"freezes": (freeze(loop.now + 2 * DAY),)},
    "unread": lambda loop: {"freezes": None},
    "window": lambda loop: {},
}


def night(loop: Batch, kind: str) -> Batch:
    """With the nightly window, at nine in the evening; or as it is."""
    if kind == "window":
        loop.policy = NIGHTLY
        loop.now = datetime(2026, 6, 1, 21, 0, tzinfo=UTC)
    return loop


def thawed(loop: Batch, kind: str) -> list[Action]:
    """The first look after the freeze."""
    if kind == "window":
        loop.go(datetime(2026, 6, 2, 7, 58, tzinfo=UTC) - loop.now)
    return loop.go(timedelta(minutes=3))


@pytest.mark.parametrize("kind", FREEZES)
def test_no_job_is_started_on_the_cluster_while_frozen_and_one_that_runs_goes_on(kind: str) -> None:
    loop = until(live(), Phase.SHADOW)
    started = dict(loop.azure.jobs)
    assert [state for state, _ in started.values()].count("Running") == 2
    assert not any(isinstance(one, CancelJob) for one in night(loop, kind).go(**FREEZES[kind](loop)))

    late = until(live(), Phase.TESTING)
    late.azure.jobs.clear()
    assert night(late, kind).go(timedelta(minutes=5), **FREEZES[kind](late)) == []
    assert late.record is not None
    assert Flag.FROZEN in late.record.flags
    assert kinds(thawed(late, kind)) == [StartJob]


@pytest.mark.parametrize("kind", FREEZES)
def test_the_default_deployment_is_not_switched_while_frozen_though_the_rows_are_alike(kind: str) -> None:
    loop = until(live(), Phase.CHECKING)
    assert night(loop, kind).go(timedelta(minutes=5), **FREEZES[kind](loop)) == []
    assert (loop.phase(), loop.azure.traffic) == (Phase.CHECKING, {OLD: 100})
    assert kinds(thawed(loop, kind)) == [SetTraffic]
    loop.go()
    assert (loop.phase(), loop.azure.traffic) == (Phase.FULL, {NEW: 100})


@pytest.mark.parametrize("kind", FREEZES)
def test_the_old_deployment_is_not_deleted_while_frozen_and_a_failed_job_switches_back(kind: str) -> None:
    loop = until(live(), Phase.RETIRING)
    loop.now += 2 * DAY
    assert night(loop, kind).go(timedelta(minutes=5), **FREEZES[kind](loop)) == []
    failed = Evidence(NOW, NOW, Arm(10, 0), Arm(3, 1), source="jobs")
    loop.look(evidence=failed, **FREEZES[kind](loop))
    assert (loop.phase(), loop.azure.under_way) == (Phase.ROLLING_BACK, ({OLD: 100}, {}))


def test_jobs_that_a_long_freeze_kept_from_starting_are_made_after_it() -> None:
    loop = until(live(), Phase.SHADOW)
    loop.azure.jobs.clear()
    for _ in range(5):
        assert loop.go(DAY, freezes=(freeze(loop.now + 2 * DAY),)) == []
    assert loop.phase() is Phase.SHADOW
    assert kinds(loop.go()) == [StartJob, StartJob]
    loop.go()
    assert loop.phase() is Phase.AWAITING_APPROVAL


@pytest.mark.parametrize("by", ["alert", "command"])
def test_after_the_old_deployment_is_gone_its_version_is_made_and_tried_again_and_switched_to(
    by: str,
) -> None:
    loop = retired()
    jobs = set(loop.azure.jobs)
    asked = {"alerts": (alert("rollback"),)} if by == "alert" else {"commands": (command("rollback"),)}
    frozen = Freeze("f", "all", "ann", "the fair", NOW + 99 * DAY)
    loop.go(freezes=(frozen,), **asked)
    loop.go(freezes=(frozen,), versions=BOTH)
    assert loop.record is not None
    assert (loop.record.kind, loop.record.version, loop.phase()) == ("rollback", "1", Phase.DEPLOYING)
    assert kinds(loop.go(freezes=(frozen,))) == [CreateDeployment]
    assert kinds(loop.go(freezes=(frozen,))) == [StartJob], "on the sample, also while frozen"
    assert loop.azure.traffic == {NEW: 100}, "what is live serves until it is up"
    assert kinds(loop.go(freezes=(frozen,))) == [SetTraffic]
    loop.go()
    assert (loop.phase(), loop.azure.traffic) == (Phase.FULL, {OLD: 100})
    loop.go(2 * HOUR)
    assert loop.phase() is Phase.DONE
    assert len(set(loop.azure.jobs) - jobs) == 1, "the jobs of the rollout before are not taken for its own"
    assert [left.deployment for left in loop.record.leftovers] == [NEW]


def test_a_slow_way_back_whose_job_fails_leaves_the_default_deployment_and_is_asked_for_again() -> None:
    loop = retired()
    loop.go(commands=(command("rollback"),))
    loop.go(versions=BOTH)
    loop.go()
    loop.go()
    assert loop.phase() is Phase.TESTING
    loop.look(**loop.jobs("Failed"))
    loop.go(versions=BOTH)
    assert (loop.phase(), loop.azure.traffic, loop.azure.under_way) == (Phase.FAILED, {NEW: 100}, None)

    loop.go(commands=(command("rollback"),))
    loop.go(versions=BOTH)
    loop.go()
    assert (loop.phase(), loop.azure.traffic, loop.azure.under_way) == (Phase.TESTING, {NEW: 100}, None), "tried again"
    assert kinds(loop.go()) == [SetTraffic]


def test_a_person_calls_a_slow_way_back_off_and_its_job_is_cancelled() -> None:
    loop = retired()
    loop.go(commands=(command("rollback"),))
    loop.go(versions=BOTH)
    loop.go()
    loop.go()
    running = [name for name, (state, _) in loop.azure.jobs.items() if state == "Running"]
    loop.look(commands=(command("reject"),), **loop.jobs("Running"))
    assert loop.phase() is Phase.FAILED
    assert [loop.azure.jobs[name][0] for name in running] == ["Canceled"]
    assert loop.azure.traffic == {NEW: 100}


def test_a_newer_version_after_a_slow_way_back_is_tried_beside_what_is_the_default_one_then() -> None:
    loop = retired()
    loop.go(commands=(command("rollback"),))
    loop.go(versions=BOTH)
    until(loop, Phase.DONE)
    loop.look(versions=versions(V1, V2, V3))
    until(loop, Phase.SHADOW)
    assert loop.record is not None
    assert (loop.record.live, loop.record.candidate) == (OLD, name_of(V3))
