"""Every column and every row of the matrix as a situation: a record, an endpoint, and what else the look sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from rollout.endpoint import EndpointSeen
from rollout.observation import Smoke
from rollout.phases import TERMINAL, Flag, Phase
from rollout.record import Checked, Leftover, Record, Served, Shortage
from tests.rollout.world import (
    AT_HOME,
    FULL,
    HARM,
    NEW,
    NOW,
    OLD,
    SAFE,
    SETTLED,
    SPLITS,
    UNKNOWN,
    V1,
    V2,
    V3,
    alert,
    command,
    deployment,
    endpoint,
    freeze,
    standing,
    versions,
    world_of,
)


@dataclass(frozen=True)
class Given:
    """A record, the endpoint, and what else the look sees."""

    record: Record
    world: EndpointSeen | None
    seen: dict[str, Any]

    def recorded(self, **changes: Any) -> Given:
        """With another record."""
        return replace(self, record=replace(self.record, **changes))

    def seeing(self, **seen: Any) -> Given:
        """With more seen."""
        return replace(self, seen={**self.seen, **seen})

    def found(self, **changes: Any) -> Given:
        """With another endpoint."""
        assert self.world is not None
        return replace(self, world=replace(self.world, **changes))

    def deployed(self, name: str, state: str) -> Given:
        """With a deployment in another state, if it is there; `state` "" takes it away."""
        assert self.world is not None
        others = {n: d for n, d in self.world.deployments.items() if n != name}
        if state and (name == NEW or name in self.world.deployments):
            others[name] = deployment(name, state)
        return self.found(deployments=others)


def settled(column: str) -> Given:
    """The record and the endpoint of a column when nothing happens."""
    if column == "start":
        return Given(standing(Phase.DEPLOYING, since=None), endpoint(*AT_HOME, new=""), {})
    if column == "first":
        return Given(standing(Phase.FULL, live=None), endpoint(*FULL, old=""), {})
    phase = {"creating": "deploying", "approval": "awaiting_approval", "back": "rolling_back"}
    phase |= {"rolled": "rolled_back", "supersed": "superseded"}
    one = Phase(phase.get(column, column))
    return Given(standing(one), world_of(one), {})


def since(given: Given, ago: timedelta) -> Given:
    """Everything was settled so long ago."""
    if given.record.phase in (Phase.DEPLOYING, Phase.TESTING):
        return given  # what they wait for is not evidence
    split = None if given.record.since is None else NOW - ago
    return given.recorded(entered=NOW - ago, since=split)


def forgotten(given: Given) -> Given:
    """As ever, but for nine days now."""
    return since(given, NINE_DAYS).recorded(entered=NOW - NINE_DAYS).seeing(evidence=SAFE, smoke=Smoke(True, "well"))


LONG_ENOUGH = timedelta(hours=2)
"""Longer than the shortest stay of every step of the policy except `retire`; shorter than every deadline."""

A_DAY_TOO_LONG = timedelta(hours=26)
"""Longer than the bake and the day for which it is lengthened."""

NINE_DAYS = timedelta(days=9)
TEN_DAYS = timedelta(days=10)
"""Longer than a rollout that has all of the traffic waits for whoever stopped it."""

DEADLINES = {
    Phase.DEPLOYING: timedelta(hours=24),
    Phase.TESTING: timedelta(minutes=15),
    Phase.SHADOW: timedelta(hours=24),
    Phase.CANARY: timedelta(hours=12),
    Phase.AWAITING_APPROVAL: timedelta(days=2),
    Phase.WAITING: timedelta(hours=25),
    Phase.CHECKING: timedelta(hours=12),
    Phase.FULL: timedelta(hours=25),
    Phase.RETIRING: timedelta(days=1),
    Phase.ROLLING_BACK: timedelta(hours=24),
}
KEEP = timedelta(hours=24)
FAILING = Smoke(False, "answered 500")
LACKING = Checked(NOW, ("rights on the endpoint: the app lacks write; mend it with: az role assignment create",))
BEFORE = NOW - timedelta(hours=1)
"""Earlier than a settled record's step."""
A_LITTLE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def late(given: Given, more: timedelta = timedelta()) -> Given:
    """Past the deadline of the phase; the split was settled ten minutes ago."""
    deadline = DEADLINES.get(given.record.phase, timedelta(days=9))
    return given.recorded(entered=NOW - deadline - A_LITTLE - more).seeing(evidence=UNKNOWN)


def unread(given: Given) -> Given:
    """The split that the phase wants was asked for and is not there yet: Azure still shows that of the step before."""
    before = {
        Phase.SHADOW: AT_HOME,
        Phase.CANARY: SPLITS[Phase.SHADOW],
        Phase.AWAITING_APPROVAL: SPLITS[Phase.SHADOW],
        Phase.WAITING: SPLITS[Phase.SHADOW],
        Phase.CHECKING: SPLITS[Phase.SHADOW],
        Phase.FULL: SPLITS[Phase.CANARY],
        Phase.RETIRING: SPLITS[Phase.CANARY],
    }.get(given.record.phase)
    if before is None:
        return given
    if given.record.live is None:
        before = ({}, {})
    shown = given.recorded(since=None, traffic=before[0], mirror=before[1])
    return shown.found(traffic=before[0], mirror=before[1])


def old_gone(given: Given) -> Given:
    """The deployment of version 1, which had all live traffic before, is gone."""
    return given.deployed(OLD, "").recorded(earlier=(Served("1", V1.id, OLD),))


def too_few(given: Given, state: str = "Succeeded") -> Given:
    """The live deployment has 20 instances and the candidate, in this state, 1; its next split is not there yet."""
    given = unread(given)
    if given.world is None:
        return given
    sizes = {OLD: 20, NEW: 1}
    there = given.world.deployments
    if NEW in there and there[NEW].state == "Succeeded":
        there = {**there, NEW: deployment(NEW, state)}
    return given.found(deployments={n: replace(one, instances=sizes.get(n, 1)) for n, one in there.items()})


def taken_before_read_back(given: Given) -> Given:
    """While the split of the phase was not yet read back, somebody else gave all live traffic to another one."""
    given = unread(given)
    if given.record.phase is not Phase.DEPLOYING and not given.record.terminal:
        given = given.recorded(since=None)
    return given.found(traffic={"theirs": 100}, mirror={})


def read_back(given: Given) -> Given:
    """The split that was asked for is there, in the first look that sees it."""
    if given.record.phase is Phase.ROLLING_BACK:
        return given.found(traffic={OLD: 100}, mirror={})
    return given if given.record.phase in (Phase.DEPLOYING, *TERMINAL) else given.recorded(since=None)


def stopped(given: Given, *, paused: bool = False, held: bool = False) -> Given:
    """A person paused the rollout, or alert a-1 holds it. A rollout that is over is neither."""
    if given.record.terminal:
        return given
    flags = {Flag.PAUSED} if paused else set()
    return given.recorded(
        flags=frozenset(flags | ({Flag.HELD} if held else set())), holds=frozenset({"a-1"} if held else ())
    )


HAPPENINGS: dict[str, Callable[[Given], Given]] = {
    "nothing new": lambda g: g,
    "evidence: safe, too early": lambda g: g.seeing(evidence=SAFE),
    "evidence: safe, long enough": lambda g: since(g, LONG_ENOUGH).seeing(evidence=SAFE),
    "evidence: unknown, long enough": lambda g: since(g, LONG_ENOUGH).seeing(evidence=UNKNOWN),
    "evidence: none, long enough": lambda g: since(g, LONG_ENOUGH),
    "evidence: unknown, a day too long": lambda g: since(g, A_DAY_TOO_LONG).seeing(evidence=UNKNOWN),
    "evidence: none, a day too long": lambda g: since(g, A_DAY_TOO_LONG),
    "one failed read, a day too long": lambda g: since(g, A_DAY_TOO_LONG).recorded(evidence_at=NOW - A_LITTLE),
    "evidence: harm": lambda g: g.seeing(evidence=HARM),
    "smoke test passed": lambda g: g.seeing(smoke=Smoke(True, "well")),
    "smoke test failed": lambda g: g.seeing(smoke=FAILING),
    "smoke test failed, alert: advance": lambda g: g.seeing(smoke=FAILING, alerts=(alert("advance"),)),
    "smoke test failed, promote": lambda g: g.seeing(smoke=FAILING, commands=(command("promote"),)),
    "alert: rollback": lambda g: g.seeing(alerts=(alert("rollback"),)),
    "alert: hold": lambda g: g.seeing(alerts=(alert("hold"),)),
    "alert: held, safe, long enough": lambda g: stopped(since(g, LONG_ENOUGH), held=True).seeing(
        evidence=SAFE, smoke=Smoke(True, "well")
    ),
    "alert: the hold resolved": lambda g: stopped(g, held=True).seeing(alerts=(alert("ignore", fired=False),)),
    "alert: advance": lambda g: g.seeing(alerts=(alert("advance"),)),
    "alert: advance, of an earlier step": lambda g: g.seeing(alerts=(alert("advance", at=BEFORE),)),
    "alert: advance, harm seen": lambda g: g.seeing(alerts=(alert("advance"),), evidence=HARM),
    "command: start": lambda g: g.seeing(commands=(command("start"),), versions=versions(V1, V2)),
    "command: promote": lambda g: g.seeing(commands=(command("promote"),)),
    "command: advance": lambda g: g.seeing(commands=(command("advance"),)),
    "command: advance, an earlier step": lambda g: g.seeing(commands=(command("advance", at=BEFORE),)),
    "command: rollback": lambda g: g.seeing(commands=(command("rollback"),)),
    "command: pause": lambda g: g.seeing(commands=(command("pause"),)),
    "command: paused, safe, long enough": lambda g: stopped(since(g, LONG_ENOUGH), paused=True).seeing(
        evidence=SAFE, smoke=Smoke(True, "well")
    ),
    "command: resume": lambda g: stopped(g, paused=True, held=True).seeing(commands=(command("resume"),)),
    "command: approve": lambda g: g.seeing(commands=(command("approve"),)),
    "command: approve, an earlier step": lambda g: g.seeing(commands=(command("approve", at=BEFORE),)),
    "command: reject": lambda g: g.seeing(commands=(command("reject"),)),
    "command: retry": lambda g: g.seeing(commands=(command("retry"),), versions=versions(V1, V2)),
    "frozen": lambda g: g.seeing(freezes=(freeze(),)),
    "frozen, not there yet": lambda g: unread(g).seeing(freezes=(freeze(),)),
    "frozen, safe, long enough": lambda g: since(g, LONG_ENOUGH).seeing(
        freezes=(freeze(),), evidence=SAFE, smoke=Smoke(True, "well")
    ),
    "frozen, candidate up": lambda g: g.deployed(NEW, "Succeeded").seeing(freezes=(freeze(),)),
    "frozen, promote": lambda g: g.seeing(freezes=(freeze(),), commands=(command("promote"),)),
    "frozen, approve": lambda g: g.seeing(freezes=(freeze(),), commands=(command("approve"),)),
    "frozen, alert: rollback": lambda g: g.seeing(freezes=(freeze(),), alerts=(alert("rollback"),)),
    "frozen, evidence: harm": lambda g: g.seeing(freezes=(freeze(),), evidence=HARM),
    "frozen, newer version": lambda g: g.seeing(freezes=(freeze(),), versions=versions(V1, V2, V3)),
    "frozen, deadline and `keep` passed": lambda g: late(g, KEEP).seeing(freezes=(freeze(),)),
    "freezes cannot be read": lambda g: since(g, LONG_ENOUGH).seeing(freezes=None, evidence=SAFE),
    "candidate gone": lambda g: g.deployed(NEW, ""),
    "candidate failed": lambda g: g.deployed(NEW, "Failed"),
    "candidate canceled": lambda g: g.deployed(NEW, "Canceled"),
    "candidate up": lambda g: g.deployed(NEW, "Succeeded"),
    "live unhealthy": lambda g: g.deployed(OLD, "Failed"),
    "live unhealthy, alert: rollback": lambda g: g.deployed(OLD, "Failed").seeing(alerts=(alert("rollback"),)),
    "old gone": lambda g: g.deployed(OLD, ""),
    "old gone, alert: rollback": lambda g: old_gone(g).seeing(alerts=(alert("rollback"),)),
    "... and the versions are listed": lambda g: old_gone(g).seeing(
        alerts=(alert("rollback"),), versions=versions(V1, V2)
    ),
    "endpoint gone": lambda g: replace(g, world=None),
    "endpoint cannot be read": lambda g: replace(g, world=None).seeing(unread=True),
    "endpoint busy": lambda g: g.found(state="Updating"),
    "endpoint busy, alert: rollback": lambda g: g.found(state="Updating").seeing(alerts=(alert("rollback"),)),
    "foreign split": lambda g: g.found(traffic={"theirs": 100}, mirror={}),
    "foreign split, shared": lambda g: g.found(traffic={OLD: 60, "theirs": 40}, mirror={}),
    "foreign split, not read back yet": taken_before_read_back,
    "foreign, not read back, rollback": lambda g: taken_before_read_back(g).seeing(alerts=(alert("rollback"),)),
    "no live traffic at all": lambda g: g.found(traffic={}, mirror={}),
    "foreign mirror": lambda g: g.found(mirror={"theirs": 10}),
    "mirror lost": lambda g: g.found(mirror={}),
    "split not there yet": unread,
    "split not there, endpoint busy": lambda g: unread(g).found(state="Updating"),
    "split read back": read_back,
    "too few instances": too_few,
    "... and more are being made": lambda g: too_few(g, "Scaling"),
    "... and Azure refused: quota": lambda g: too_few(g).recorded(refused="not enough quota"),
    "... and the wait for quota is over": lambda g: too_few(g).recorded(short=Shortage("no quota", 1, NOW)),
    "... and the wait goes on": lambda g: too_few(g).recorded(short=Shortage("no quota", 1, NOW + HOUR)),
    "... and alert: rollback": lambda g: too_few(g).seeing(alerts=(alert("rollback"),)),
    "... and the deadline passed": lambda g: late(too_few(g)),
    "earlier target not done": lambda g: g.seeing(earlier_target="waits for target staging"),
    "earlier target not done, for days": lambda g: late(g).seeing(earlier_target="waits for target staging"),
    "earlier target failed": lambda g: g.seeing(earlier_failed="target staging rolled it back"),
    "a check fails": lambda g: g.seeing(checks=LACKING),
    "a check fails, alert: rollback": lambda g: g.seeing(checks=LACKING, alerts=(alert("rollback"),)),
    "a check fails, deadline passed": lambda g: late(g).seeing(checks=LACKING),
    "checks could not be made": lambda g: g.seeing(checks=None),
    "newer version": lambda g: g.seeing(versions=versions(V1, V2, V3)),
    "newer version, alert: rollback": lambda g: g.seeing(versions=versions(V1, V2, V3), alerts=(alert("rollback"),)),
    "evidence: harm, deadline passed": lambda g: late(g).seeing(evidence=HARM),
    "live unhealthy, deadline passed": lambda g: late(g).deployed(OLD, "Failed"),
    "endpoint gone, deadline passed": lambda g: replace(late(g), world=None),
    "endpoint busy, deadline passed": lambda g: late(g).found(state="Updating"),
    "tag lost": lambda g: g.seeing(versions=versions(V1, V2, eligible=(V1,))),
    "deadline passed": late,
    "deadline passed, not there yet": lambda g: late(unread(g)),
    "deadline and `keep` passed": lambda g: late(g, KEEP),
    "... and not there yet": lambda g: late(unread(g), KEEP),
    "paused for nine days": lambda g: stopped(forgotten(g), paused=True),
    "held by an alert for nine days": lambda g: stopped(forgotten(g), held=True),
    "paused for nine days, now frozen": lambda g: stopped(forgotten(g), paused=True).seeing(freezes=(freeze(),)),
    "paused for nine days, read fails": lambda g: replace(stopped(forgotten(g), paused=True), world=None),
    "endpoint gone for ten days": lambda g: replace(forgotten(g).recorded(entered=NOW - TEN_DAYS), world=None),
    "foreign split for ten days": lambda g: (
        forgotten(g).recorded(entered=NOW - TEN_DAYS).found(traffic={OLD: 60, "theirs": 40}, mirror={})
    ),
    "Azure refused": lambda g: g.recorded(refused="400 bad body"),
    "Azure refused: quota": lambda g: g.recorded(refused="not enough quota"),
    "a failed candidate's time is up": lambda g: g.recorded(leftovers=(Leftover(NEW, NOW - SETTLED),)),
    "... and it has failed": lambda g: g.recorded(leftovers=(Leftover(NEW, NOW - SETTLED),)).deployed(NEW, "Failed"),
}
