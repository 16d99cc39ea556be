"""When recorded requests are sent as load, because an endpoint is too quiet to judge a version on. Pure.

Never before evidence was read, never while the rollout is stopped or harm was seen, and never when clients alone send
enough. How they are sent: `rollout.sending`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from policy.model import Canary, Shadow
from rollout.decision import Decision, SendLoad
from rollout.judge import enough
from rollout.look import Look
from rollout.verdict import Evidence, Outcome

LONGEST_SHARE = timedelta(minutes=1)
"""A look that comes late sends at most so much of the rate."""


def with_load(look: Look, decision: Decision) -> Decision:
    """The decision of a step that waits for evidence, with the load that is due for it."""
    step = look.policy.steps[look.record.step]
    load = step.load if isinstance(step, Shadow | Canary) else None
    if load is None or look.record.batch or look.stopped or not _too_quiet(look):
        return decision
    last = look.record.load_at
    count = int(load.per_minute * min(look.now - last if last else look.pace, LONGEST_SHARE) / timedelta(minutes=1))
    reasons = (*decision.record.reasons, f"{load.per_minute} recorded requests a minute are sent as load")
    record = replace(decision.record, reasons=reasons)
    if last is None or count:
        record = replace(record, load_at=look.now)
    if last is None:
        record = record.noted(look.now, "write", reasons[-1])
    return Decision(record, (*decision.actions, SendLoad(count)) if count else decision.actions)


def _too_quiet(look: Look) -> bool:
    """Whether evidence was read, shows no harm, and clients alone do not send enough to judge by."""
    seen, verdict = look.seen.evidence, look.verdict
    if seen is None or verdict is None or verdict.outcome is Outcome.HARM:
        return False
    return _by_clients(seen) < enough(look.policy.gates)


def _by_clients(seen: Evidence) -> int:
    return min(seen.live.requests - seen.live.load, seen.candidate.requests - seen.candidate.load)
