"""A rollout does not start while something that it needs is missing: rights, logs, queries that run. Pure.

What was found is told by `rollout.doctor.start`. A start that nobody mends fails at its deadline, like any other.
"""

from __future__ import annotations

from dataclasses import replace

from rollout.decision import Decision
from rollout.look import Look
from rollout.observation import Observation
from rollout.phases import Flag
from rollout.record import TROUBLE, Record

SLOWER = 5
"""A start that waits is looked at so many times less often."""


def with_checks(record: Record, seen: Observation) -> Record:
    """The record with what was found of what a start needs."""
    found = seen.checks
    return record if found is None or found.at is None else replace(record, checks=found)


def unproven(look: Look) -> Decision | None:
    """Why the rollout may not start yet, or None. A rollback's slow way is never held up by a check."""
    if look.record.kind != "rollout":
        return None
    found = look.seen.checks
    if found is None:
        return look.stay("what a rollout needs could not be checked", *look.seen.trouble, after=look.pace * SLOWER)
    if not found.failed:
        return None
    record = look.record
    for failed in found.failed:
        record = record.noted(look.now, TROUBLE, f"check: {failed}")
    held = replace(look, record=record)
    return held.stay(*found.failed, flags=frozenset({Flag.HELD}), after=look.pace * SLOWER)
