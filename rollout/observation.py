"""What one look saw, as plain values: the only thing besides the record that `decide` knows of the world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from rollout.drift_gate import DriftSeen
from rollout.endpoint import EndpointSeen
from rollout.machines import Machines
from rollout.record import Checked, Outputs
from rollout.verdict import Evidence


@dataclass(frozen=True)
class VersionSeen:
    """The newest version that the policy allows: the one the endpoint ought to serve."""

    version: str
    id: str
    created: datetime


@dataclass(frozen=True)
class Versions:
    """What listing the model's versions showed. `eligible` are the versions that the policy's tags allow."""

    newest: VersionSeen | None
    eligible: frozenset[str]
    known: Mapping[str, VersionSeen] = field(default_factory=dict)


@dataclass(frozen=True)
class Smoke:
    """What the smoke requests came to: passed, or why not."""

    passed: bool
    text: str


@dataclass(frozen=True)
class JobSeen:
    """A job on a batch target's sample. `failed` counts what it could not score, as far as Azure tells."""

    name: str
    state: str
    created: datetime
    failure: str = ""
    failed: int = 0
    size: int | None = None
    """Bytes of its output; None while it runs, and where its deployment writes no rows."""
    late: bool = False
    """It runs, and its time is over."""

    @property
    def ended(self) -> bool:
        """Whether it will not change any more."""
        return self.state in ("Completed", "Failed", "Canceled")

    @property
    def canceled(self) -> bool:
        """Whether it was ended before it came to anything."""
        return self.state == "Canceled"


@dataclass(frozen=True)
class AlertItem:
    """An alert that the policy has an action for, read from the inbox."""

    id: str
    rule: str
    alert_id: str
    fired: bool
    action: str
    """rollback, hold, advance, retrain or ignore."""
    at: datetime

    @property
    def words(self) -> str:
        """What it says and asks for."""
        return f"{self.rule} {'fired' if self.fired else 'resolved'}: {self.action}"


@dataclass(frozen=True)
class CommandItem:
    """A command that was accepted at the door, read from the inbox."""

    id: str
    action: str
    reason: str
    who: str
    at: datetime
    version: str | None = None

    @property
    def words(self) -> str:
        """Who asked for what, and why."""
        return f"{self.action} by {self.who}: {self.reason}"


@dataclass(frozen=True)
class Freeze:
    """What somebody froze. `scope`: `all`, `policy`, `policy/target` or `policy/target/endpoint`."""

    id: str
    scope: str
    owner: str
    reason: str
    until: datetime


@dataclass(frozen=True)
class HookAnswer:
    """What a hook of the policy said when it was asked for leave to enter a step."""

    hook: str
    step: int
    leave: bool
    text: str


@dataclass(frozen=True)
class Observation:
    """Everything one look saw. A part that was not looked at is None or empty."""

    endpoint: EndpointSeen | None
    """None: the endpoint does not exist, or is `unread`."""
    versions: Versions | None = None
    unlisted: bool = False
    """The versions were wanted and could not be listed: what waits for them stays unread."""
    evidence: Evidence | None = None
    smoke: Smoke | None = None
    alerts: tuple[AlertItem, ...] = ()
    commands: tuple[CommandItem, ...] = ()
    handled: tuple[str, ...] = ()
    """Every inbox item that this look read, whatever its kind; those that `read_until` covers are left out."""
    forgotten: tuple[str, ...] = ()
    """Items handled before that `read_until` covers now."""
    read_until: datetime | None = None
    """Up to where the inbox was read, by the storage service's clock; None where it was not read."""
    autoscaled: bool | None = False
    """Whether autoscale moves the live deployment's instances; None: that was wanted and could not be read."""
    checks: Checked | None = field(default_factory=Checked)
    """What was found of what a start needs; None: that was wanted and could not be found out."""
    notices: tuple[str, ...] = ()
    """What other parts of the app have to tell, for the history."""
    earlier_target: str | None = None
    """Why the target before this one is not yet done with the version; None when nothing is in the way."""
    earlier_failed: str | None = None
    """Why the target before this one ended without the version."""
    freezes: tuple[Freeze, ...] | None = ()
    """What people froze here; None: it could not be read."""
    trouble: tuple[str, ...] = ()
    """What could not be read in this look and why."""
    unread: bool = False
    """The endpoint was wanted and could not be read: whether it exists is not known."""
    recalled: bool = False
    """The endpoint is what an earlier look read: the record's snapshot."""
    jobs: tuple[JobSeen, ...] | None = None
    """The step's jobs on the sample of a batch target; None where none were looked for, or could not be read."""
    outputs: Outputs | None = None
    """The outputs of two of them, compared in this look or an earlier one of the step."""
    hooks: tuple[HookAnswer, ...] = ()
    """What hooks said that were asked in this look."""
    drift: DriftSeen | None = None
    """The newest measurement of the endpoint's drift; None where it was not asked for, or could not be read."""
    machines: Machines | None = None
    """The machines of live and candidate; None where they were not asked for: the record may have them."""
