"""How a rollout ends: done, or otherwise. Its record stays as it is until the next one begins. Pure."""

from __future__ import annotations

from dataclasses import replace

from policy.durations import lasting
from rollout.decision import Decision
from rollout.look import Look
from rollout.phases import Phase
from rollout.record import Leftover


def finish(look: Look, why: str) -> Decision:
    """The rollout is done; after a slow way back, what it came from is deleted like a candidate that failed."""
    record, leftovers = look.record, look.record.leftovers
    reasons: tuple[str, ...] = (f"version {record.version} has all live traffic",)
    if record.kind == "rollback" and record.harm_seen is not None:
        reasons = (*reasons, f"{lasting(look.now - record.harm_seen)} after it was asked for")
        if record.live and record.live not in {one.deployment for one in leftovers}:
            leftovers = (*leftovers, Leftover(record.live, look.now + look.policy.failed.keep))
    look = replace(look, record=replace(record, leftovers=leftovers))
    return _ended(look, Phase.DONE, reasons, f"done: {why}")


def over(look: Look, outcome: Phase, reasons: tuple[str, ...]) -> Decision:
    """The rollout is over with this outcome, whatever has the traffic now."""
    return _ended(look, outcome, reasons, f"{outcome.value}: {'; '.join(reasons)}")


def _ended(look: Look, outcome: Phase, reasons: tuple[str, ...], text: str) -> Decision:
    record = replace(
        look.record,
        phase=outcome,
        entered=look.now,
        reasons=reasons,
        flags=frozenset(),
        holds=frozenset(),
        list_versions=True,
        next_look=look.now,
    )
    return Decision(record.noted(look.now, "decision", text))
