"""What the tests of the pure core start from: one policy, one endpoint, and a record standing in any phase.

`old` (version 1) is live and `new` (version 2) is the candidate. A record made by `standing` is settled: the split that
its phase wants was read back ten minutes ago, which is earlier than any step's shortest stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from policy.load import load
from policy.model import Policy
from rollout.decide import decide
from rollout.decision import Decision
from rollout.endpoint import DeploymentSeen, EndpointSeen
from rollout.names import deployment_name
from rollout.observation import AlertItem, CommandItem, Freeze, Observation, Versions, VersionSeen
from rollout.phases import Phase
from rollout.place import Place
from rollout.record import Record, Split, Tried
from rollout.verdict import Arm, Evidence

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
PACE = timedelta(seconds=30)
SETTLED = timedelta(minutes=10)
PLACE = Place("credit", "production", "credit", "/subscriptions/s/onlineendpoints/credit")

POLICY_TEXT = """\
name: credit
model: {name: card}
targets:
  - name: production
    subscription_id: 00000000-0000-0000-0000-000000000001
    resource_group: rg
    workspace: ws
    endpoint: credit
    log_analytics_workspace_id: 00000000-0000-0000-0000-000000000002
steps:
  - smoke: {}
  - shadow: {mirror_percent: 20, at_least: 1h, at_most: 24h}
  - canary: {traffic_percent: 10, at_least: 30m, at_most: 12h}
  - approval: {at_most: 2d}
  - wait: {at_least: 1h}
  - check: {at_most: 12h}
  - full: {bake: 1h}
  - retire: {after: 1d}
failed: {keep: 24h}
"""
MODEL_ID = "/subscriptions/s/workspaces/ws/models/card/versions/"


def policy_of(text: str = POLICY_TEXT, **changes: Any) -> Policy:
    """The policy in `text`, with top-level parts replaced."""
    return load(text, "credit.yaml").model_copy(update=changes)


POLICY = policy_of()


def version(number: int, *, created: datetime | None = None) -> VersionSeen:
    """A registered version; each was registered a day after the one before."""
    return VersionSeen(str(number), f"{MODEL_ID}{number}", created or NOW + timedelta(days=number - 10))


def name_of(one: VersionSeen) -> str:
    """The name of the deployment that Understudy makes for a version."""
    return deployment_name("card", one.version, one.id, one.created)


V1, V2, V3 = version(1), version(2), version(3)
OLD, NEW = name_of(V1), name_of(V2)


def versions(*known: VersionSeen, eligible: tuple[VersionSeen, ...] | None = None) -> Versions:
    """A listing of `known`, newest last; all are eligible unless said."""
    allowed = known if eligible is None else eligible
    return Versions(
        newest=max(allowed, key=lambda v: v.created, default=None),
        eligible=frozenset(v.version for v in allowed),
        known={v.version: v for v in known},
    )


def deployment(name: str, state: str = "Succeeded", failure: str = "") -> DeploymentSeen:
    """A deployment as Azure shows it."""
    model = {OLD: V1.id, NEW: V2.id}.get(name, "")
    return DeploymentSeen(name, state, model, failure)


def endpoint(
    traffic: Mapping[str, int],
    mirror: Mapping[str, int] | None = None,
    *,
    state: str = "Succeeded",
    **states: str,
) -> EndpointSeen:
    """An endpoint; `old` and `new` say the states of the two deployments ("" for one that is not there)."""
    named = {OLD: states.get("old", "Succeeded"), NEW: states.get("new", "Succeeded")}
    return EndpointSeen(state, traffic, mirror or {}, {n: deployment(n, s) for n, s in named.items() if s})


CANARY = ({OLD: 90, NEW: 10}, dict[str, int]())
FULL = ({NEW: 100}, dict[str, int]())
AT_HOME = ({OLD: 100}, dict[str, int]())
SPLITS: dict[Phase, tuple[Split, Split]] = {
    Phase.DEPLOYING: AT_HOME,
    Phase.TESTING: AT_HOME,
    Phase.SHADOW: ({OLD: 100}, {NEW: 20}),
    Phase.CANARY: CANARY,
    Phase.AWAITING_APPROVAL: CANARY,
    Phase.WAITING: CANARY,
    Phase.CHECKING: CANARY,
    Phase.FULL: FULL,
    Phase.RETIRING: FULL,
    Phase.DONE: FULL,
    Phase.ROLLING_BACK: CANARY,
    Phase.ROLLED_BACK: AT_HOME,
    Phase.SUPERSEDED: AT_HOME,
    Phase.FAILED: AT_HOME,
}
"""The live split and mirror in which a settled record of each phase finds the endpoint."""

STEPS = {
    Phase.TESTING: 0,
    Phase.SHADOW: 1,
    Phase.CANARY: 2,
    Phase.AWAITING_APPROVAL: 3,
    Phase.WAITING: 4,
    Phase.CHECKING: 5,
    Phase.FULL: 6,
    Phase.RETIRING: 7,
    Phase.DONE: 7,
    Phase.ROLLING_BACK: 2,
    Phase.ROLLED_BACK: 2,
}


def standing(phase: Phase, **changes: Any) -> Record:
    """A settled record of the rollout of version 2 over version 1."""
    traffic, mirror = SPLITS[phase]
    wrote = phase not in (Phase.DEPLOYING, Phase.TESTING)
    asked = AT_HOME if phase is Phase.ROLLING_BACK else (traffic, mirror)
    record = Record(
        policy="credit",
        target="production",
        endpoint="credit",
        model="card",
        version="2",
        model_id=V2.id,
        model_created=V2.created,
        policy_text=POLICY_TEXT,
        number=2,
        phase=phase,
        started=NOW - timedelta(hours=3),
        entered=NOW - SETTLED,
        since=NOW - SETTLED,
        candidate=NEW,
        live=OLD,
        step=STEPS.get(phase, -1),
        traffic=traffic,
        mirror=mirror,
        asked=asked if wrote else None,
        reasons=("because",),
        next_look=NOW,
        tried=(Tried("1", V1.created), Tried("2", V2.created)),
    )
    return replace(record, **changes)


def world_of(phase: Phase, **states: str) -> EndpointSeen:
    """The endpoint as the settled record of the phase expects it."""
    traffic, mirror = SPLITS[phase]
    states.setdefault("new", "Creating" if phase is Phase.DEPLOYING else "Succeeded")
    return endpoint(traffic, mirror, **states)


def evidence(
    candidate: tuple[int, int] = (1000, 0),
    live: tuple[int, int] = (1000, 0),
    *,
    p95: tuple[float | None, float | None] = (50.0, 50.0),
    pairs: int = 1000,
    agreed: int = 1000,
) -> Evidence:
    """Evidence of (requests, errors) of both; safe by every gate unless said."""
    return Evidence(
        NOW - SETTLED, NOW, Arm(*live, p95_ms=p95[0]), Arm(*candidate, p95_ms=p95[1]), pairs=pairs, agreed=agreed
    )


SAFE = evidence()
UNKNOWN = evidence(candidate=(10, 0), pairs=10, agreed=10)
HARM = evidence(candidate=(1000, 100))
SAFE_SAMPLE, HARM_SAMPLE = replace(SAFE, source="sample"), replace(HARM, source="sample")
"""The same of the jobs on a batch target's sample."""


def alert(
    action: str, *, fired: bool = True, rule: str = "errors", alert_id: str = "a-1", at: datetime = NOW
) -> AlertItem:
    """An alert that the policy gave an action; it came just before the look unless said."""
    return AlertItem(f"alert-{action}-{fired}", rule, alert_id, fired, action, at)


def command(action: str, version: str | None = None, *, at: datetime = NOW) -> CommandItem:
    """A command that was accepted at the door, just before the look unless said."""
    return CommandItem(f"command-{action}", action, "she said so", "ann", at, version)


def freeze(until: datetime = NOW + timedelta(hours=4), *, reason: str = "year-end close", scope: str = "all") -> Freeze:
    """What somebody froze, for four hours more unless said."""
    return Freeze("year-end", scope, "ann", reason, until)


def decided(
    record: Record | None,
    world: EndpointSeen | None,
    *,
    policy: Policy = POLICY,
    now: datetime = NOW,
    **seen: Any,
) -> Decision:
    """What `decide` answers for the record in this world; it must answer something."""
    decision = decide(PLACE, policy, POLICY_TEXT, record, Observation(world, **seen), now, pace=PACE)
    assert decision is not None
    return decision
