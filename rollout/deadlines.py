"""What a deadline does: it holds or goes back, as the step says; it never promotes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Literal

from policy.durations import lasting
from rollout.decision import Decision
from rollout.look import Look
from rollout.phases import Flag, Phase
from rollout.rollback import go_back


def unless_overdue(
    look: Look, decision: Decision, at_most: timedelta, then: Literal["hold", "rollback"] = "hold"
) -> Decision:
    """`decision` until `at_most` after the phase was entered; then held, and `failed.keep` later the traffic goes back.

    With `then: rollback` it goes back at once. Nothing goes back for its deadline while frozen, and the time that was
    frozen is given back: what is overdue has its time to be mended.
    """
    if look.entered_ago <= at_most:
        return decision
    missing = "; ".join(decision.record.reasons)
    if look.overdue(at_most + look.policy.failed.keep) or (then == "rollback" and not look.frozen):
        return go_back(look, f"not ready by the deadline: {missing}", Phase.ROLLED_BACK)
    reasons = (f"not ready by its deadline of {lasting(at_most)}", *decision.record.reasons)
    record = replace(decision.record, flags=decision.record.flags | {Flag.HELD}, reasons=reasons)
    return Decision(record, decision.actions)
