"""`mode: observe`: everything but the writes. Pure.

An observed rollout stands before its first write, since nothing can be judged of a candidate that is not deployed: it
says what is in the way, or what it would do. It follows the policy in force, not the one it began with, and it ends
when a newer version comes or when its version goes live by other hands. When the policy says `act`, it begins.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from policy.model import Policy
from rollout.affordable import unaffordable
from rollout.applying import applies
from rollout.decision import Decision
from rollout.deploying import deploying, obstacle
from rollout.look import Enter, Look
from rollout.model_ids import same_version
from rollout.phases import Flag
from rollout.record import Record
from rollout.traffic import sole_live
from rollout.unproven import unproven

_SLOWER = 10
"""An observed rollout is looked at so many times more seldom than one that acts."""


def is_observed(record: Record | None) -> bool:
    """Whether the record is of a rollout that has written nothing yet, since its policy said so."""
    return record is not None and not record.terminal and Flag.OBSERVE in record.flags


def in_mode(policy: Policy, policy_text: str, record: Record, now: datetime) -> Record:
    """The observed record under the policy in force: acting from now on, or with its clock standing still."""
    if not is_observed(record):
        return record
    record = replace(record, policy_text=policy_text)
    if policy.mode == "observe":
        return replace(record, clock_from=now)
    acting = replace(record, flags=record.flags - {Flag.OBSERVE}, entered=now)
    return acting.noted(now, "decision", "the policy says `mode: act` now: the rollout begins")


def marked(policy: Policy, decision: Decision) -> Decision:
    """The decision with the mark of an observed rollout."""
    record = decision.record
    if policy.mode != "observe" or record.terminal:
        return decision
    return replace(decision, record=replace(record, flags=record.flags | {Flag.OBSERVE}))


def starting(look: Look) -> Decision | Enter:
    """The first phase: deploying, or saying what would be deployed."""
    return deploying(look) if look.policy.mode == "act" else _observing(look)


def _observing(look: Look) -> Decision | Enter:
    live = sole_live(look.seen.endpoint)[1] if look.seen.endpoint is not None else None
    serving = look.seen.endpoint.deployments.get(live or "") if look.seen.endpoint is not None else None
    if serving is not None and same_version(serving.model, look.record.model_id):
        released = replace(look, record=replace(look.record, live=None, candidate=serving.name))
        return Enter(released, len(look.policy.steps), f"it went live as {live}, by other hands")
    blocked = obstacle(look) or unproven(look) or unaffordable(look, look.record)
    if blocked is not None:
        return blocked
    begins = replace(look.record, live=live)
    plan = ", ".join(step.named for step in look.policy.steps if applies(begins, step))
    of = f"as a copy of {live}" if live else "from the policy alone"
    text = f"would create deployment {look.record.candidate} {of}; then {plan}"
    record = look.record
    if text not in {entry.text for entry in record.entries}:
        record = record.noted(look.now, "decision", text)
    return replace(look, record=record).stay(f"only observed: {text}", after=look.pace * _SLOWER)
