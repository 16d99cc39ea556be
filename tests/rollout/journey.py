"""Rollouts brought to a phase by the looks that lead there, against the model of Azure's endpoint."""

from __future__ import annotations

from datetime import timedelta

from rollout.observation import Smoke, VersionSeen
from rollout.phases import Phase
from tests.rollout.azure import Azure, Loop
from tests.rollout.world import OLD, SAFE, V1, V2, command, policy_of, versions

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WELL = Smoke(True, "2 smoke requests answered well")
POLICY_WITH_TWO_CANARIES = """\
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
  - canary: {traffic_percent: 10}
  - canary: {traffic_percent: 50}
  - full: {bake: 1h}
"""


def old_is_live() -> Loop:
    """Version 1 has all live traffic, and nobody ever made a rollout here."""
    return Loop(Azure({OLD: 100}, deployments={OLD: "Succeeded"}, models={OLD: V1.id}))


def registered(loop: Loop, *known: VersionSeen) -> Loop:
    """A look at the newest of these versions."""
    loop.look(versions=versions(*known))
    return loop


def deployed(loop: Loop) -> Loop:
    """The candidate is created and comes up; the look that sees it begins the tests."""
    loop.look()
    loop.azure.deploy()
    loop.look()
    return loop


def in_shadow() -> Loop:
    loop = deployed(registered(old_is_live(), V1, V2))
    loop.look(smoke=WELL)
    loop.until_read_back()
    return loop


def in_canary() -> Loop:
    loop = in_shadow()
    loop.look(2 * HOUR, evidence=SAFE)
    loop.until_read_back()
    return loop


def awaiting_approval() -> Loop:
    loop = in_canary()
    loop.look(HOUR, evidence=SAFE)
    loop.look()
    return loop


def waiting() -> Loop:
    loop = awaiting_approval()
    loop.look(commands=(command("approve"),))
    loop.look()
    return loop


def checking() -> Loop:
    loop = waiting()
    loop.look(2 * HOUR)
    loop.look()
    return loop


def in_full() -> Loop:
    loop = checking()
    loop.look(evidence=SAFE)
    loop.until_read_back()
    return loop


def retiring() -> Loop:
    loop = in_full()
    loop.look(2 * HOUR, evidence=SAFE)
    loop.look()
    return loop


def done() -> Loop:
    loop = retiring()
    loop.look(2 * DAY)
    loop.azure.deploy()
    loop.look()
    return loop


UNDER_WAY = {
    Phase.SHADOW: in_shadow,
    Phase.CANARY: in_canary,
    Phase.AWAITING_APPROVAL: awaiting_approval,
    Phase.WAITING: waiting,
    Phase.CHECKING: checking,
    Phase.FULL: in_full,
    Phase.RETIRING: retiring,
}


def before_retirement() -> Loop:
    """Done, with a policy that keeps the old deployment."""
    loop = Loop(old_is_live().azure, policy_of(POLICY_WITH_TWO_CANARIES))
    deployed(registered(loop, V1, V2))
    loop.until_read_back()
    loop.look(commands=(command("promote"),))
    loop.until_read_back()
    loop.look(2 * HOUR, evidence=SAFE)
    loop.look(versions=versions(V1, V2))
    return loop
