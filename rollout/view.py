"""A rollout as the API shows it (contracts: Doors)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from policy.load import load
from policy.problems import PolicyError
from rollout.basis import shown
from rollout.record import Record, to_json


def summary(record: Record) -> dict[str, Any]:
    """One rollout, without its history."""
    full = to_json(record)
    step = _step_name(record)
    return {
        key: full[key]
        for key in ("policy", "target", "endpoint", "kind", "model", "version", "phase")
    } | {
        "step": step,
        **{
            key: full[key]
            for key in (
                "flags", "live", "candidate", "traffic", "mirror", "reasons", "evidence", "next_look", "record",
                "started", "entered", "since",
            )
        },
    }  # fmt: skip


def detail(record: Record, unread: Sequence[str] = ()) -> dict[str, Any]:
    """One rollout, with its history, and what was asked for that no look has taken in yet."""
    full = to_json(record)
    told = summary(record) | {key: full[key] for key in ("history", "number", "holds", "leftovers", "model_id")}
    basis = shown(record.basis) if record.basis is not None and record.evidence else None
    return told | {"basis": basis, "unread": list(unread)}


def _step_name(record: Record) -> str | None:
    """The step in the policy's words, such as `canary 10 %`."""
    if record.step < 0:
        return None
    try:
        steps = load(record.policy_text, record.policy, rules=False).at(record.target).steps
    except PolicyError:
        return record.phase.value
    return steps[record.step].named
