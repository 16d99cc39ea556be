"""The record of one endpoint's rollout: plain frozen values, and their JSON form.

One record an endpoint. A finished rollout stays in it until the next one begins; then it is copied to the history.
What must outlive a rollout (versions already tried, deployments still to be deleted, inbox items already read) is
carried over from record to record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from rollout.batch_rows import Compared
from rollout.codec import OUTSIDE, decoded, encoded
from rollout.endpoint import Snapshot
from rollout.machines import Machines
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
class Served:
    """A version that had all live traffic here, and the deployment that served it."""

    version: str
    model_id: str
    deployment: str


@dataclass(frozen=True)
class Wish:
    """A way back that was asked for and needs the endpoint or the list of versions read: why, and since when."""

    cause: str
    since: datetime


@dataclass(frozen=True)
class Wants:
    """Leave that a decision waits for: the step it would enter, the hooks, the step in words, why it would."""

    step: int
    hooks: tuple[str, ...]
    to: str
    why: str


@dataclass(frozen=True)
class Shortage:
    """Instances that Azure refused for want of quota: why, how often in a row, and when they are asked for again."""

    text: str
    tries: int
    again: datetime


@dataclass(frozen=True)
class Checked:
    """The checks before the start: when they were made, and those that failed, each with the command that mends it."""

    at: datetime | None = None
    failed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Leftover:
    """A deployment that is to be deleted once it has no traffic and its time has come."""

    deployment: str
    after: datetime


@dataclass(frozen=True)
class Measured:
    """A finding of the last verdict, kept for the reader: gate, outcome, numbers in words and by themselves."""

    gate: str
    outcome: str
    text: str
    value: float | None = None
    """What was measured: the rise of the error rate, the ratio of the latencies, the share of equal answers."""
    harm: float | None = None
    """The value from which on it is harm."""
    safe: float | None = None
    """The value up to which (agreement: from which on) it is safe."""
    n: int = 0
    """Requests, or pairs of answers, that it rests on."""


@dataclass(frozen=True)
class Query:
    """A query that evidence was read with: its file, the resource it ran on, its text without the window's lines."""

    name: str
    resource: str
    text: str


@dataclass(frozen=True)
class Basis:
    """What the last verdict rests on: the window, where the numbers are from, and the queries."""

    since: datetime
    until: datetime
    source: str
    queries: tuple[Query, ...] = ()


@dataclass(frozen=True)
class Outputs:
    """The outputs of two jobs on the sample of a batch target, compared: read once, since they never change."""

    jobs: str
    """The names of the two."""
    compared: Compared


@dataclass(frozen=True)
class Journal:
    """How many looks the rollout had, bytes of their lines in the history, and the lines not yet there (journal.py)."""

    looks: int = 0
    size: int = 0
    pending: tuple[Mapping[str, Any], ...] = ()
    began: str = ""
    """The policy's text of the first look, where a later one put another in its place."""


@dataclass(frozen=True)
class Event:
    """Something that happened to the rollout, for the outside (rollout.transitions)."""

    id: str
    type: str
    at: datetime
    severity: str
    """info, warning or error."""
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Outbox:
    """How many events the rollout had, and those that are not yet on their way."""

    sequence: int = 0
    events: tuple[Event, ...] = ()


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
    snapshot: Snapshot | None = None
    """The endpoint as it was last read; a look that stands still may go by it."""
    asked: tuple[Split, Split] | None = None
    """The split that was last asked of Azure."""
    flags: frozenset[Flag] = frozenset()
    holds: frozenset[str] = frozenset()
    """Alerts that hold the rollout, by alert id."""
    passed: bool = False
    """The present step was passed by an alert or a person."""
    reasons: tuple[str, ...] = ()
    evidence: tuple[Measured, ...] = ()
    basis: Basis | None = None
    """What `evidence` was judged on."""
    outcome: Phase = Phase.ROLLED_BACK
    """What a rollback in progress ends as: rolled_back, failed or superseded."""
    harm_seen: datetime | None = None
    back_asked: datetime | None = None
    refused: str = ""
    """What Azure refused for good in the last look; the next decision reads it."""
    list_versions: bool = False
    """The model's versions are still to be listed: since one may have waited for the end, or a listing failed."""
    next_look: datetime | None = None
    writes: int = field(default=0, metadata={OUTSIDE: "record"})
    entries: tuple[Entry, ...] = field(default=(), metadata={OUTSIDE: "history"})
    tried: tuple[Tried, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    handled: tuple[str, ...] = ()
    """Inbox items already acted on (ids), oldest first; those older than `read_until` are not named."""
    read_until: datetime | None = None
    """Every inbox item older than this was acted on (rollout.mark)."""
    released: frozenset[str] = frozenset()
    """Alerts that resolved during this rollout, by alert id: their firing may arrive later than that."""
    evidence_at: datetime | None = None
    """When evidence of the present step was last read; blindness is counted from here."""
    frozen_at: datetime | None = None
    """When the rollout was last seen frozen."""
    clock_from: datetime | None = None
    """From when the present phase's clock counts, if it stood still: `entered` and the time that it was frozen."""
    restored: int = 0
    """How often somebody else's split was put back in the present step."""
    load_at: datetime | None = None
    """When load was last sent in the present step (rollout.load)."""
    retired: bool = False
    """The retire step is over: the deployment that was live before is deleted."""
    blocked_since: datetime | None = None
    """When the way back was last asked for, until the next look sees whether Azure took it."""
    blocked_seconds: float = 0.0
    """How long Azure did not take the way back."""
    batch: bool = False
    """Whether the endpoint is a batch endpoint: its split is its default deployment."""
    outputs: Outputs | None = None
    """What the last two jobs on the sample that were compared came to."""
    size: int = 0
    """The most instances that the live deployment was seen with: what all of the traffic needs."""
    autoscaled: bool = False
    """Autoscale moves the live deployment's instances; its settings are carried to the candidate."""
    short: Shortage | None = None
    machines: Machines | None = None
    checks: Checked = Checked()
    """What was last found of what a start needs (`rollout.doctor.start`)."""
    earlier: tuple[Served, ...] = ()
    """What had all live traffic here before, newest first: where a rollback may go when the deployment is gone."""
    kept: tuple[str, ...] = ()
    """Deployments that were retired and stay up, as `keep` says, newest first."""
    deploy_seconds: float = 0.0
    """How long the last deployment took to come up: what a slow way back will take."""
    wish: Wish | None = None
    wants: Wants | None = None
    """Leave that the last decision waited for (rollout.hooks)."""
    journal: Journal = Journal()
    outbox: Outbox = Outbox()

    @property
    def terminal(self) -> bool:
        """Whether the rollout is over."""
        return self.phase in TERMINAL

    @property
    def due(self) -> datetime | None:
        """When to look again: at the time the rollout asked for, or at once while events wait in the outbox."""
        waiting = [event.at for event in self.outbox.events[:1]]
        return min([*waiting, *([self.next_look] if self.next_look else [])], default=None)

    @property
    def counted_from(self) -> datetime:
        """From when the time of the present phase counts; records of older builds know when they were last frozen."""
        return max(self.entered, self.clock_from or self.frozen_at or self.entered)

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


def to_json(record: Record) -> dict[str, Any]:
    """The record as JSON values, in full."""
    return encoded(record)


def from_json(raw: Mapping[str, Any]) -> Record:
    """A record from `to_json`'s form; what an older build did not write yet has its default."""
    return decoded(Record, raw)
