"""The gates that may hold a version and never take it back: drift of the traffic, and cost. Pure.

They stand beside the judge of the requests (`rollout.verdict`). Asked up to the last step before all of the traffic is
moved: after that there is no promotion left that they could hold (docs/decisions/0019).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from policy.model import Policy
from rollout.cost_gate import cost_finding
from rollout.drift_gate import drift_finding
from rollout.machines import Machines
from rollout.observation import Observation
from rollout.phases import Phase
from rollout.record import Record
from rollout.verdict import Finding

ASKED = frozenset({Phase.SHADOW, Phase.CANARY, Phase.AWAITING_APPROVAL, Phase.WAITING, Phase.CHECKING})
"""Phases with a share of the traffic, and more of it to come."""


def with_machines(record: Record, seen: Observation) -> Record:
    """The record with the machines of the two, once they could be compared: they stay what they are."""
    found = seen.machines
    return record if found is None or found.problem else replace(record, machines=found)


def machines_of(record: Record, seen: Observation) -> Machines | None:
    """What is known of the machines of the two, in this look or from an earlier one."""
    return record.machines or seen.machines


def held_by(policy: Policy, record: Record, seen: Observation, now: datetime) -> tuple[Finding, ...]:
    """The findings of these gates in this look."""
    if record.phase not in ASKED or record.batch or record.kind != "rollout":
        return ()
    found = (drift_finding(policy, seen.drift, now), cost_finding(policy, record, machines_of(record, seen)))
    return tuple(one for one in found if one is not None)
