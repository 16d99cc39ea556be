"""What users of other systems reported, as stories of ours: each names the report that it must never repeat.

The reports are those of docs/features.md. Only what no other story tells as plainly stands here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from statistics import quantiles
from typing import Any

import pytest

from policy.gates import Gates
from rollout.endpoint import EndpointSeen
from rollout.judge import judge
from rollout.phases import Flag, Phase
from rollout.record import Record
from rollout.transitions import announced
from rollout.verdict import Arm, Evidence, Outcome
from tests.rollout.happenings import HAPPENINGS, settled
from tests.rollout.journey import DAY, HOUR, UNDER_WAY, in_full
from tests.rollout.world import (
    HARM,
    NEW,
    NOW,
    OLD,
    SAFE,
    UNKNOWN,
    V1,
    V2,
    alert,
    command,
    decided,
    deployment,
    freeze,
    standing,
    versions,
    world_of,
)

# 1: a promotion and its rollback killed the only healthy copy (fluxcd/flagger#1898).


@pytest.mark.parametrize("old", ["Failed", "Deleting", "gone"])
def test_where_only_the_harmful_version_is_healthy_it_is_neither_emptied_nor_deleted(old: str) -> None:
    loop = in_full()
    if old == "gone":
        del loop.azure.deployments[OLD]
    else:
        loop.azure.deployments[OLD] = old

    for _ in range(40):
        loop.look(DAY, alerts=(alert("rollback"),))
        loop.azure.settle()

    assert (loop.azure.traffic, loop.azure.deployments[NEW]) == ({NEW: 100}, "Succeeded")


# 2: while a gate waited for a person, harm rolled nothing back (fluxcd/flagger#1801).

STOPPED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "paused": ({"flags": frozenset({Flag.PAUSED})}, {}),
    "held by an alert": ({"flags": frozenset({Flag.HELD}), "holds": frozenset({"a-2"})}, {}),
    "held by a foreign split": ({"flags": frozenset({Flag.HELD}), "holds": frozenset({"foreign-split"})}, {}),
    "frozen": ({"flags": frozenset({Flag.FROZEN})}, {"freezes": (freeze(),)}),
    "freezes that cannot be read": ({}, {"freezes": None}),
    "past its deadline": ({"entered": NOW - timedelta(days=9)}, {}),
}
HARMS: dict[str, dict[str, Any]] = {
    "evidence": {"evidence": HARM},
    "an alert": {"alerts": (alert("rollback"),)},
    "a person": {"commands": (command("rollback"),)},
    "a tag that is gone": {"versions": versions(V1, V2, eligible=(V1,))},
    "a candidate that failed": {},
}


def seeing(phase: Phase, harm: str) -> EndpointSeen:
    """The endpoint of a settled phase, with what is harmful about the candidate itself."""
    world = world_of(phase)
    if harm != "a candidate that failed":
        return world
    return replace(world, deployments={**world.deployments, NEW: deployment(NEW, "Failed")})


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("stopped", STOPPED)
@pytest.mark.parametrize("phase", UNDER_WAY)
def test_whatever_stops_a_rollout_harm_sends_the_traffic_back_in_the_look_that_sees_it(
    phase: Phase, stopped: str, harm: str
) -> None:
    record, seen = STOPPED[stopped]
    given: Record = standing(phase, **record)

    decision = decided(given, seeing(phase, harm), **{**seen, **HARMS[harm]})

    assert decision.record.phase is Phase.ROLLING_BACK
    [write] = decision.actions
    assert (write.traffic, write.mirror, write.urgent) == ({OLD: 100}, {}, True)  # type: ignore[union-attr]


# 3: an inconclusive analysis was made again until it passed when the pause ended (argoproj/argo-rollouts#3850).

PASSING: dict[str, Sequence[dict[str, Any]]] = {
    "time": ({}, {}, {}),
    "a pause and its end": ({"commands": (command("pause"),)}, {}, {"commands": (command("resume"),)}),
    "a freeze and its end": ({"freezes": (freeze(),)}, {"freezes": (freeze(),)}, {"freezes": ()}),
    "an alert and its end": (
        {"alerts": (alert("hold"),)},
        {},
        {"alerts": (alert("ignore", fired=False),)},
    ),
}


@pytest.mark.parametrize("phase", [Phase.SHADOW, Phase.CANARY, Phase.CHECKING])
@pytest.mark.parametrize("passing", PASSING)
def test_what_is_unknown_stays_so_until_there_is_new_evidence_whatever_else_passes(phase: Phase, passing: str) -> None:
    loop = UNDER_WAY[phase]()
    for happening in PASSING[passing]:
        loop.look(HOUR, evidence=UNKNOWN, **happening)
        loop.azure.settle()
        assert loop.phase() is phase
    loop.look(HOUR, evidence=SAFE)
    assert loop.phase() not in (phase, Phase.ROLLING_BACK)


# 5: series that a rank test of minute averages let pass (spinnaker#6278, kayenta#780, #426, #799).

MINUTE = 60
"""Requests in a minute."""
STEADY = [100.0] * 10


def told_by_minutes(milliseconds: Sequence[float], *, errors: int = 0) -> Arm:
    """What ten minutes of requests, each with its own time, come to."""
    times = [time + index % 7 for time in milliseconds for index in range(MINUTE)]
    return Arm(len(times), errors, quantiles(times, n=20)[-1])


@pytest.mark.parametrize(
    "candidate",
    [
        told_by_minutes([10_000.0] * 7 + [100.0] * 3),
        told_by_minutes([10_000.0] * 1 + [100.0] * 9),
        told_by_minutes([10.0, 190.0] * 5),
        told_by_minutes(STEADY, errors=9),
    ],
    ids=["seven of ten minutes are 100 times slower", "one is", "the same mean, scattered", "errors here and there"],
)
def test_what_a_rank_test_of_minutes_lets_pass_is_harm_when_requests_are_judged(candidate: Arm) -> None:
    verdict = judge(Gates(agreement=None), Evidence(NOW, NOW, told_by_minutes(STEADY), candidate), shadow=False)

    assert verdict.outcome is Outcome.HARM


# 11: the operation succeeded and the configuration was the old one (hashicorp/terraform-provider-aws#49020).


@pytest.mark.parametrize("phase", [Phase.SHADOW, Phase.CHECKING])
def test_a_write_that_succeeds_without_effect_begins_no_step_and_is_made_again(phase: Phase) -> None:
    loop = UNDER_WAY[phase]()
    loop.look(DAY / 4, evidence=SAFE)
    asked = loop.azure.under_way
    assert asked is not None
    for _ in range(3):
        loop.azure.settle(lost=True)
        loop.look(evidence=SAFE)
        assert loop.record is not None
        assert (loop.azure.under_way, loop.record.since) == (asked, None)
    loop.until_read_back()

    assert loop.record is not None
    assert loop.record.since == loop.now


# 12: rollouts failed and nobody was told, or not why (fluxcd/flagger#1663, argoproj/argo-rollouts#404).

IN_FLIGHT = ("start", "creating", *UNDER_WAY, "first", "testing", "back")


@pytest.mark.parametrize("what", HAPPENINGS)
def test_whatever_ends_a_rollout_an_event_tells_why(what: str) -> None:
    for column in IN_FLIGHT:
        given = HAPPENINGS[what](settled("approval" if column == Phase.AWAITING_APPROVAL else str(column)))
        after = decided(given.record, given.world, **given.seen).record
        *_, told = announced(given.record, after, NOW).outbox.events or [None]
        if after.terminal:
            assert told is not None, column
            assert (told.data["phase"], told.data["reasons"]) == (after.phase, list(after.reasons)), column
            assert after.phase is Phase.DONE or told.severity in ("warning", "error"), column
