"""What the judge is given and what it answers: counts of both deployments, a finding for every gate, a verdict."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from rollout.record import Measured, Query


class Outcome(StrEnum):
    """What a gate says."""

    HARM = "harm"
    SAFE = "safe"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Arm:
    """Requests of one deployment in the window. `p95_ms` is None when no latency is known."""

    requests: int = 0
    errors: int = 0
    p95_ms: float | None = None
    load: int = 0
    """How many of the requests were load of our own."""
    timed: int = 0
    """How many latencies the next three are counted of: of requests, or of minutes where only metrics are known."""
    slow: int = 0
    """Of these, longer than the live deployment's p95."""
    harmful: int = 0
    """Of these, longer than what harms: a ratio to that p95, and a rise of at least the gate's floor."""
    unsafe: int = 0
    """The same beyond what is safe."""
    burst: float = 1.0
    """How many slow requests in a burst tell as much as one (`rollout.sequential.burst_factor`)."""


@dataclass(frozen=True)
class Counted:
    """What a query of the policy's own counted of either deployment: (counted, requests); or why it told nothing."""

    gate: str
    live: tuple[int, int] = (0, 0)
    candidate: tuple[int, int] = (0, 0)
    problem: str = ""


@dataclass(frozen=True)
class Evidence:
    """Counts since the step's split was read back. `pairs` are mirrored requests answered by both deployments."""

    since: datetime
    until: datetime
    live: Arm
    candidate: Arm
    pairs: int = 0
    agreed: int = 0
    source: str = "log_analytics"
    said: str = ""
    """What is wrong with the candidate beyond the counts, in words."""
    queries: tuple[Query, ...] = ()
    """What the numbers were read with."""
    counted: tuple[Counted, ...] = ()
    """What `gates.queries` counted, in their order."""


@dataclass(frozen=True)
class Finding:
    """One gate's answer, with the numbers behind it in words."""

    gate: str
    outcome: Outcome
    text: str
    value: float | None = None
    harm: float | None = None
    safe: float | None = None
    n: int = 0
    dry: bool = False
    """It is told and decides nothing."""


@dataclass(frozen=True)
class Verdict:
    """The answer over all gates: harm if any shows harm, safe if every one does, otherwise unknown."""

    outcome: Outcome
    findings: tuple[Finding, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """The findings that explain the outcome."""
        return tuple(f"{f.gate}: {f.text}" for f in self.findings if f.outcome is self.outcome and not f.dry)

    @property
    def measured(self) -> tuple[Measured, ...]:
        """All findings, as the record keeps them."""
        return tuple(
            Measured(f.gate, f.outcome.value, f"dry run: {f.text}" if f.dry else f.text, f.value, f.harm, f.safe, f.n)
            for f in self.findings
        )


def weighed(findings: Iterable[Finding], dry_run: Collection[str] = ()) -> Verdict:
    """The verdict of these findings; what the gates in `dry_run` say is told beside it."""
    found = tuple(replace(one, dry=one.gate in dry_run) for one in findings)
    outcomes = {one.outcome for one in found if not one.dry}
    if Outcome.HARM in outcomes:
        return Verdict(Outcome.HARM, found)
    return Verdict(Outcome.SAFE if outcomes == {Outcome.SAFE} else Outcome.UNKNOWN, found)


def few(gate: str, seen: int, wanted: int, *, of: str = "") -> Finding:
    """The finding of a gate that has too few requests to say anything."""
    text = f"{seen} of at least {wanted} {of}requests seen, {wanted - seen} more needed"
    return Finding(gate, Outcome.UNKNOWN, text, n=seen)
