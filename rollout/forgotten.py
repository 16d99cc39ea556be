"""What becomes of a rollout that has all of the traffic and that somebody stopped and forgot. Pure.

Who paused it, or let an alert hold it, did not want it to go on: so it is not done, and no later target begins. The
bake showed no harm: so no traffic moves for a clock. What ends is the waiting for a person, and, a stated time later,
the cost of the old deployment. The record says both.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from policy.model import Retire
from rollout.deadlines import unless_overdue
from rollout.decision import Decision
from rollout.ending import finish, over
from rollout.look import Look
from rollout.phases import Phase
from rollout.retired import parted, with_leftovers

FORGOTTEN_WITHIN = timedelta(days=7)
"""How much longer than its own time a rollout waits for whoever stopped it: people are away for a week."""
UNREAD_WITHIN = timedelta(days=1)
"""How much longer still for an endpoint that cannot be read: what is stopped ends by the split that is there."""


def unless_forgotten(look: Look, own: timedelta) -> Decision:
    """Stay while it is stopped, up to a week longer than the phase's `own` time; then it ends where it stands."""
    longest = own + FORGOTTEN_WITHIN
    if look.overdue(longest):
        return _ended(look, f"stopped for {FORGOTTEN_WITHIN.days} days longer than its time: {look.stopped}")
    if look.frozen:
        return look.stay(look.stopped)
    return look.stay(look.stopped, f"it ends unfinished on {look.record.counted_from + longest:%Y-%m-%d %H:%M} UTC")


def unless_lost(look: Look, own: timedelta, decision: Decision) -> Decision:
    """`decision` while the split that was there before is another now, or cannot be read.

    Another one is held and gone back from as at any deadline, but as late as what is stopped: a split that somebody
    sets in a long pause is not touched at once. What cannot be read is left as it stands, and ends a day later.
    """
    longest = own + FORGOTTEN_WITHIN
    if look.seen.endpoint is not None:
        return unless_overdue(look, decision, longest)
    if look.overdue(longest + UNREAD_WITHIN):
        return _ended(look, "; ".join(decision.record.reasons))
    return decision


def _ended(look: Look, why: str) -> Decision:
    record, endpoint, policy = look.record, look.seen.endpoint, look.policy
    if record.kind == "rollback":
        # It went back to what had served: nobody waits for it, and nothing begins after it.
        return finish(look, why)
    retire = next((step for step in policy.steps if isinstance(step, Retire)), None)
    stay, doomed = parted(look, endpoint) if endpoint is not None else ((), [])
    reasons: tuple[str, ...] = (why, f"version {record.version} keeps its live traffic")
    if retire is not None and doomed:
        until = look.now + max(retire.after, policy.failed.keep)
        record = replace(record, leftovers=with_leftovers(look, doomed, until), kept=stay)
        names = ", ".join(doomed)
        reasons = (*reasons, f"{names} is deleted after {until:%Y-%m-%d %H:%M} UTC; until then `rollback` is one write")
    return over(replace(look, record=record), Phase.FAILED, reasons)
