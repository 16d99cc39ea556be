"""Which of the policy's steps a rollout takes, and which it leaves out. Pure."""

from __future__ import annotations

from policy.model import Canary, Step
from rollout.record import Record


def cannot_be_shared(record: Record, step: Step) -> bool:
    """Whether the step gives a share of traffic where there is none to share: a batch endpoint has but jobs."""
    return record.batch and isinstance(step, Canary)


def applies(record: Record, step: Step) -> bool:
    """A first version has no live traffic to mirror, share or retire: it is tested and gets all of it.

    A version that is deployed again to go back to had its steps before.
    """
    if cannot_be_shared(record, step):
        return False
    return (record.live is not None and record.kind == "rollout") or step.kind in ("smoke", "full")
