"""What a deadline does: it holds or goes back, as the step says; it never promotes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Literal

from rollout.decision import Decision
from rollout.look import Look
from rollout.phases import Flag, Phase
from rollout.rollback import go_back


def unless_overdue(
    look: Look, decision: Decision, at_most: timedelta, then: Literal["hold", "rollback"] = "hold"
) -> Decision:
    """`decision` until `at_most` after the phase was entered; then held, and `failed.keep` later the traffic goes back.

    With `then: rollback` it goes back at once. What becomes overdue in a freeze is held until the freeze ends, and
    has its time to be mended after it.
    """
    if look.entered_ago <= at_most:
        return decision
    missing = "; ".join(decision.record.reasons)
    deadline = look.record.entered + at_most
    over = look.now - max(deadline, look.record.frozen_at or deadline)
    keep = look.policy.failed.keep if then == "hold" else timedelta()
    if over > keep:
        return go_back(look, f"not ready by the deadline: {missing}", Phase.ROLLED_BACK)
    reasons = (f"not ready by its deadline of {at_most}", *decision.record.reasons)
    record = replace(decision.record, flags=decision.record.flags | {Flag.HELD}, reasons=reasons)
    return Decision(record, decision.actions)
