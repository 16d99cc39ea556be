"""Somebody else's change of the live split or the mirror: held for a person, or put back, as the policy says. Pure.

A lost mirror is not meant here: an update by an old client drops it silently, and it is put back in any case.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from policy.model import Policy
from rollout.endpoint import Snapshot
from rollout.observation import Observation
from rollout.phases import Phase
from rollout.record import Record
from rollout.traffic import foreign, wanted

FOREIGN_HOLD = "foreign-split"
"""The hold that stands for somebody else's change of the split; `resume` ends it."""
MOST_RESTORED = 3
"""So often a split is put back within one step; whoever changes it once more means it, and the rollout holds."""


def with_split(policy: Policy, record: Record, seen: Observation, now: datetime) -> Record:
    """The record with the split that was seen, and what follows when it is somebody else's.

    While going back nothing is held, and before the candidate is asked for the start itself looks at the split.
    """
    if seen.endpoint is None:
        return record
    ours = record.since is not None if record.phase is Phase.DEPLOYING else record.phase is not Phase.ROLLING_BACK
    if ours and (changed := foreign(record, seen.endpoint, wanted(policy, record))):
        text = f"somebody else set {changed}"
        if policy.foreign_change == "restore" and record.restored < MOST_RESTORED:
            record = replace(record, restored=record.restored + 1).noted(now, "decision", f"{text}; it is put back")
        else:
            record = replace(record, holds=record.holds | {FOREIGN_HOLD}).noted(now, "trouble", text)
    snapshot = record.snapshot if seen.recalled else Snapshot(seen.endpoint, now)
    return replace(record, traffic=dict(seen.endpoint.traffic), mirror=dict(seen.endpoint.mirror), snapshot=snapshot)
