"""What happened to a rollout between two looks, as events for the outside: derived from what changed. Pure.

Types, severities and data are documented in docs/events.md. An event's id is made of the rollout's identity and a
number that grows with each: the same event has the same id however often it is sent.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from rollout.phases import TERMINAL, Flag, Phase
from rollout.record import Event, Outbox, Record, to_json

INFO, WARNING, ERROR = "info", "warning", "error"
PREFIX = "Understudy.Rollout."
STOPS = frozenset({Flag.PAUSED, Flag.HELD, Flag.FROZEN})
MOST = 200
"""Events that wait in a record at most, while storage does not take them."""
ENDS = {
    Phase.DONE: ("Done", INFO),
    Phase.ROLLED_BACK: ("RolledBack", ERROR),
    Phase.SUPERSEDED: ("Superseded", WARNING),
    Phase.FAILED: ("Failed", ERROR),
}
DATA = (
    "policy", "target", "endpoint", "kind", "number", "model", "version", "phase", "step", "flags", "live",
    "candidate", "traffic", "mirror", "reasons", "started", "entered",
)  # fmt: skip
"""Fields of the record that every event tells."""


def announced(before: Record | None, after: Record, now: datetime) -> Record:
    """The record with an event in its outbox for each thing that changed; those that wait there stay."""
    same = before is not None and before.number == after.number
    waiting = before.outbox.events if before is not None else ()
    number = before.outbox.sequence if before is not None and same else 0
    events = []
    for name, severity in _happened(before if same else None, after):
        number += 1
        identity = f"{after.policy}/{after.target}/{after.endpoint}/{after.number}/{number}"
        data = _data(before if same else None, after, name, now)
        events.append(Event(identity, f"{PREFIX}{name}", now, severity, data))
    return replace(after, outbox=Outbox(number, (*waiting, *events)[-MOST:]))


def _happened(before: Record | None, after: Record) -> list[tuple[str, str]]:
    """(name, severity) of each thing that changed, in order."""
    found = []
    if before is None:
        found.append(("Started", INFO) if after.kind == "rollout" else ("RollbackBegun", ERROR))
    was, stopped = (before.flags & STOPS, after.flags & STOPS) if before else (frozenset[Flag](), after.flags & STOPS)
    if was and not stopped and after.phase not in (*TERMINAL, Phase.ROLLING_BACK):
        found.append(("Resumed", INFO))
    if before is not None and (before.phase, before.step) != (after.phase, after.step):
        found += _entered(after)
    elif before is None and after.phase in ENDS:
        found.append(ENDS[after.phase])
    if stopped - was and not after.terminal:
        found.append(("Held", WARNING))
    return found


def _entered(after: Record) -> list[tuple[str, str]]:
    if after.phase in ENDS:
        return [ENDS[after.phase]]
    if after.phase is Phase.ROLLING_BACK:
        return [("RollbackBegun", ERROR)]
    if after.phase is Phase.AWAITING_APPROVAL:
        return [("ApprovalNeeded", WARNING)]
    return [("PhaseChanged", INFO)]


def _data(before: Record | None, after: Record, name: str, now: datetime) -> dict[str, Any]:
    whole = to_json(after)
    data: dict[str, Any] = {key: whole[key] for key in DATA}
    if before is not None:
        data["previous"] = {"phase": before.phase.value, "step": before.step}
    went_back = name == "RolledBack" or after.back_asked is not None or after.kind == "rollback"
    if after.terminal and went_back and after.harm_seen is not None:
        data["rollback"] = {
            "seconds": (now - after.harm_seen).total_seconds(),
            "blocked_seconds": after.blocked_seconds,
        }
    return {key: value for key, value in data.items() if value is not None}
