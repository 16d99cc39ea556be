"""When a look may go by what an earlier one read of the endpoint, instead of reading it from Azure again.

A rollout stands still for hours, and Azure's reads are few (docs/decisions/0018). What is remembered is never acted
on: a decision that would write or enter a phase is made anew on what is read then (`reconcile`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from rollout.endpoint import Snapshot
from rollout.observation import Observation
from rollout.phases import JUDGED, Phase
from rollout.record import Record

RETIRING_TIMES = 6
"""While only the old deployment is waited for, memory lasts so many times longer."""


def recalled(record: Record | None, now: datetime, lasts: timedelta, *, news: bool) -> Snapshot | None:
    """What was read within the time that memory `lasts`, or None: then the endpoint is to be read.

    Read it is too when something is new (`news`), before the split of the phase was read back, and as long as
    anything at the endpoint was seen under way or unwell.
    """
    if record is None or record.snapshot is None or record.since is None or news:
        return None
    if record.phase not in JUDGED or record.refused:
        return None
    endpoint = record.snapshot.endpoint
    if endpoint.busy or any(one.state != "Succeeded" for one in endpoint.deployments.values()):
        return None
    longest = lasts * RETIRING_TIMES if record.phase is Phase.RETIRING else lasts
    return record.snapshot if record.since <= record.snapshot.at and now - record.snapshot.at < longest else None


def with_evidence(again: Observation, first: Observation) -> Observation:
    """What was read `again` in one look, with what hooks said, and the evidence of the `first` reading if now there is
    none: harm that a look has seen goes back in that look, though the logs do not answer a second time.
    """
    again = replace(again, hooks=first.hooks)
    return again if again.evidence is not None else replace(again, evidence=first.evidence)
