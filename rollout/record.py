"""The record of one endpoint's rollout: plain frozen values, and their JSON form.

One record an endpoint. A finished rollout stays in it until the next one begins; then it is copied to the history.
What must outlive a rollout (versions already tried, deployments still to be deleted, inbox items already read) is
carried over from record to record.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from rollout.phases import TERMINAL, Flag, Phase

Split = dict[str, int]

TROUBLE = "trouble"
"""Cause of the lines that tell what could not be done or was not as expected."""
RECENT = 20
"""A trouble that one of so many last lines tells of is not told again."""
LONGEST_HISTORY = 400
"""Beyond so many lines the oldest troubles are dropped; what was decided, said and written never is."""


@dataclass(frozen=True)
class Entry:
    """One line of the history: what happened, when, and why."""

    at: datetime
    phase: Phase
    cause: str
    """`decision`, `alert`, `command`, `write`, `trouble`."""
    text: str


@dataclass(frozen=True)
class Tried:
    """A version that a rollout was made for; created tells a re-registered version from the first."""

    version: str
    created: datetime


@dataclass(frozen=True)
class Leftover:
    """A deployment that is to be deleted once it has no traffic and its time has come."""

    deployment: str
    after: datetime


@dataclass(frozen=True)
class Measured:
    """A finding of the last verdict, kept for the reader: gate, outcome, numbers in words."""

    gate: str
    outcome: str
    text: str


@dataclass(frozen=True)
class Record:
    """Everything that is known of one rollout. `writes` counts how often it was saved."""

    policy: str
    target: str
    endpoint: str
    model: str
    version: str
    model_id: str
    model_created: datetime
    policy_text: str
    """The policy as it was when the rollout began; the rollout keeps to it."""
    number: int
    """The how-manieth rollout of this endpoint: its place in the history."""
    phase: Phase
    started: datetime
    entered: datetime
    """When the present phase (or step) was entered."""
    candidate: str
    kind: str = "rollout"
    step: int = -1
    """Index into the policy's steps; -1 while deploying."""
    since: datetime | None = None
    """When the split that the phase wants was first read back: its clock starts here."""
    live: str | None = None
    """The deployment that had the live traffic when the rollout began; None for the first version."""
    traffic: Split = field(default_factory=dict)
    mirror: Split = field(default_factory=dict)
    asked: tuple[Split, Split] | None = None
    """The split that was last asked of Azure."""
    flags: frozenset[Flag] = frozenset()
    holds: frozenset[str] = frozenset()
    """Alerts that hold the rollout, by alert id."""
    passed: bool = False
    """The present step was passed by an alert or a person."""
    reasons: tuple[str, ...] = ()
    evidence: tuple[Measured, ...] = ()
    outcome: Phase = Phase.ROLLED_BACK
    """What a rollback in progress ends as: rolled_back, failed or superseded."""
    harm_seen: datetime | None = None
    back_asked: datetime | None = None
    refused: str = ""
    """What Azure refused for good in the last look; the next decision reads it."""
    list_versions: bool = False
    """The next look at the finished rollout lists the model's versions, since one may have waited."""
    next_look: datetime | None = None
    writes: int = 0
    entries: tuple[Entry, ...] = ()
    tried: tuple[Tried, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    handled: tuple[str, ...] = ()
    """Inbox items already acted on (ids), oldest first."""
    released: frozenset[str] = frozenset()
    """Alerts that resolved during this rollout, by alert id: their firing may arrive later than that."""
    evidence_at: datetime | None = None
    """When evidence of the present step was last read; blindness is counted from here."""
    retired: bool = False
    """The retire step is over: the deployment that was live before is deleted."""
    blocked_since: datetime | None = None
    """When the way back was last asked for, until the next look sees whether Azure took it."""
    blocked_seconds: float = 0.0
    """How long Azure did not take the way back."""

    @property
    def terminal(self) -> bool:
        """Whether the rollout is over."""
        return self.phase in TERMINAL

    def noted(self, now: datetime, cause: str, text: str) -> Record:
        """The record with one more line of history; what was said just before is not repeated."""
        last = self.entries[-1:]
        if any((line.cause, line.text) == (cause, text) for line in last):
            return self
        if cause == TROUBLE and any(line.text == text for line in self.entries[-RECENT:]):
            return self
        return replace(self, entries=_shortened((*self.entries, Entry(now, self.phase, cause, text))))


def _shortened(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """The history within its length, as far as dropping old troubles can bring it there."""
    excess = len(entries) - LONGEST_HISTORY
    kept = list[Entry]()
    for line in entries:
        if excess > 0 and line.cause == TROUBLE:
            excess -= 1
        else:
            kept.append(line)
    return tuple(kept)


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC with Z, to the microsecond: nothing that Python knows of a time is lost on the way to a blob."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """The reverse of `stamp`; takes any RFC 3339 time, also with seven digits of a second."""
    head, dot, tail = text.replace("Z", "+00:00").partition(".")
    if dot:
        digits = "".join(c for c in tail[: len(tail) - 6] if c.isdigit())[:6]
        return datetime.fromisoformat(f"{head}.{digits}{tail[-6:]}").astimezone(UTC)
    return datetime.fromisoformat(head).astimezone(UTC)


def _maybe(value: datetime | None) -> str | None:
    return None if value is None else stamp(value)


def _moment(value: str | None) -> datetime | None:
    return None if value is None else moment(value)


def to_json(record: Record) -> dict[str, Any]:
    """The record as JSON values, in full."""
    return {
        "policy": record.policy,
        "target": record.target,
        "endpoint": record.endpoint,
        "kind": record.kind,
        "model": record.model,
        "version": record.version,
        "model_id": record.model_id,
        "model_created": stamp(record.model_created),
        "policy_text": record.policy_text,
        "number": record.number,
        "phase": record.phase.value,
        "step": record.step,
        "started": stamp(record.started),
        "entered": stamp(record.entered),
        "since": _maybe(record.since),
        "candidate": record.candidate,
        "live": record.live,
        "traffic": record.traffic,
        "mirror": record.mirror,
        "asked": None if record.asked is None else list(record.asked),
        "flags": sorted(flag.value for flag in record.flags),
        "holds": sorted(record.holds),
        "passed": record.passed,
        "reasons": list(record.reasons),
        "evidence": [{"gate": m.gate, "outcome": m.outcome, "text": m.text} for m in record.evidence],
        "outcome": record.outcome.value,
        "harm_seen": _maybe(record.harm_seen),
        "back_asked": _maybe(record.back_asked),
        "refused": record.refused,
        "list_versions": record.list_versions,
        "next_look": _maybe(record.next_look),
        "record": record.writes,
        "history": [
            {"at": stamp(e.at), "phase": e.phase.value, "cause": e.cause, "text": e.text} for e in record.entries
        ],
        "tried": [{"version": t.version, "created": stamp(t.created)} for t in record.tried],
        "leftovers": [{"deployment": o.deployment, "after": stamp(o.after)} for o in record.leftovers],
        "handled": list(record.handled),
        "released": sorted(record.released),
        "evidence_at": _maybe(record.evidence_at),
        "retired": record.retired,
        "blocked_since": _maybe(record.blocked_since),
        "blocked_seconds": record.blocked_seconds,
    }


def from_json(raw: dict[str, Any]) -> Record:
    """A record from `to_json`'s form; what an older build did not write yet has its default."""
    asked = raw["asked"]
    return Record(
        policy=raw["policy"],
        target=raw["target"],
        endpoint=raw["endpoint"],
        kind=raw["kind"],
        model=raw["model"],
        version=raw["version"],
        model_id=raw["model_id"],
        model_created=moment(raw["model_created"]),
        policy_text=raw["policy_text"],
        number=raw["number"],
        phase=Phase(raw["phase"]),
        step=raw["step"],
        started=moment(raw["started"]),
        entered=moment(raw["entered"]),
        since=_moment(raw["since"]),
        candidate=raw["candidate"],
        live=raw["live"],
        traffic=raw["traffic"],
        mirror=raw["mirror"],
        asked=None if asked is None else (asked[0], asked[1]),
        flags=frozenset(Flag(flag) for flag in raw["flags"]),
        holds=frozenset(raw["holds"]),
        passed=raw["passed"],
        reasons=tuple(raw["reasons"]),
        evidence=tuple(Measured(m["gate"], m["outcome"], m["text"]) for m in raw["evidence"]),
        outcome=Phase(raw["outcome"]),
        harm_seen=_moment(raw["harm_seen"]),
        back_asked=_moment(raw["back_asked"]),
        refused=raw["refused"],
        list_versions=raw["list_versions"],
        next_look=_moment(raw["next_look"]),
        writes=raw["record"],
        entries=tuple(Entry(moment(e["at"]), Phase(e["phase"]), e["cause"], e["text"]) for e in raw["history"]),
        tried=tuple(Tried(t["version"], moment(t["created"])) for t in raw["tried"]),
        leftovers=tuple(Leftover(o["deployment"], moment(o["after"])) for o in raw["leftovers"]),
        handled=tuple(raw["handled"]),
        released=frozenset(raw.get("released", ())),
        evidence_at=_moment(raw.get("evidence_at")),
        retired=raw.get("retired", False),
        blocked_since=_moment(raw.get("blocked_since")),
        blocked_seconds=raw.get("blocked_seconds", 0.0),
    )
