"""The judge: (evidence so far) -> harm, safe or unknown, with a finding in numbers for every gate.

These gates are plain: point estimates over a minimum number of requests. Between a gate's two lines, and below the
minimum, the answer is `unknown`, which never promotes. The interface is what a sequential test needs, so that one can
take a plain gate's place without anybody else noticing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from policy.gates import Agreement, Gates, LatencyRatio, Rise
from rollout.record import Measured, Query

FEWEST_FOR_SLOW = 100
"""A p95 of fewer requests rests on less than five of them: too few to call a version harmful."""
FEWEST_HARMFUL_ERRORS = 3
"""Fewer errors than this are never called harm: with small numbers one unlucky request would decide."""


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


@dataclass(frozen=True)
class Verdict:
    """The answer over all gates: harm if any shows harm, safe if every one does, otherwise unknown."""

    outcome: Outcome
    findings: tuple[Finding, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """The findings that explain the outcome."""
        return tuple(f"{f.gate}: {f.text}" for f in self.findings if f.outcome is self.outcome)

    @property
    def measured(self) -> tuple[Measured, ...]:
        """All findings, as the record keeps them."""
        return tuple(Measured(f.gate, f.outcome.value, f.text, f.value, f.harm, f.safe, f.n) for f in self.findings)


def judge(gates: Gates, evidence: Evidence | None, *, shadow: bool) -> Verdict:
    """Judge the evidence. Answers are compared in a shadow only; a canary's requests are not answered twice."""
    if evidence is None:
        return Verdict(Outcome.UNKNOWN, (Finding("evidence", Outcome.UNKNOWN, "nothing read yet"),))
    findings = []
    if gates.error_rate is not None:
        findings.append(_error_rate(gates.error_rate, gates.min_requests, evidence))
    if gates.latency_p95 is not None:
        findings.append(_latency(gates.latency_p95, gates.min_requests, evidence))
    if shadow and gates.agreement is not None:
        findings.append(_agreement(gates.agreement, gates.min_requests, evidence))
    if not findings:
        findings.append(Finding("evidence", Outcome.UNKNOWN, "no gate of the policy applies to this step"))
    findings = [_with_load(finding, evidence) for finding in findings]
    outcomes = {f.outcome for f in findings}
    if Outcome.HARM in outcomes:
        return Verdict(Outcome.HARM, tuple(findings))
    return Verdict(Outcome.SAFE if outcomes == {Outcome.SAFE} else Outcome.UNKNOWN, tuple(findings))


def _with_load(finding: Finding, evidence: Evidence) -> Finding:
    """The finding, with how much of what it rests on was load of our own."""
    live, candidate = evidence.live, evidence.candidate
    if not live.load and not candidate.load:
        return finding
    of = f"{candidate.load} of the candidate's {candidate.requests} requests"
    return replace(finding, text=f"{finding.text}; {of} and {live.load} of live's {live.requests} were load")


def _error_rate(gate: Rise, fewest: int, evidence: Evidence) -> Finding:
    live, candidate = evidence.live, evidence.candidate
    if candidate.requests < fewest:
        return _few("error_rate", candidate.requests, fewest)
    rate = candidate.errors / candidate.requests
    base = live.errors / live.requests if live.requests else 0.0
    text = (
        f"{candidate.errors} of {candidate.requests} failed ({rate:.2%}), live {live.errors} of {live.requests}"
        f" ({base:.2%}); harm above a rise of {gate.safe:.2%}, safe up to {gate.harm:.2%}"
    )

    def measured(outcome: Outcome) -> Finding:
        return Finding("error_rate", outcome, text, rate - base, gate.safe, gate.harm, candidate.requests)

    if rate - base > gate.safe and candidate.errors >= FEWEST_HARMFUL_ERRORS:
        return measured(Outcome.HARM)
    if live.requests < fewest:
        # Harm needs no company; "as good as live" does.
        return _few("error_rate", live.requests, fewest, of="live ")
    return measured(Outcome.SAFE if rate - base <= gate.harm else Outcome.UNKNOWN)


def _latency(gate: LatencyRatio, fewest: int, evidence: Evidence) -> Finding:
    live, candidate = evidence.live, evidence.candidate
    fewer = min(live.requests, candidate.requests)
    if fewer < fewest:
        return _few("latency_p95", fewer, fewest)
    if not live.p95_ms or candidate.p95_ms is None:
        return Finding("latency_p95", Outcome.UNKNOWN, "no latency is known for one of the two deployments")
    ratio = candidate.p95_ms / live.p95_ms
    small = candidate.p95_ms - live.p95_ms <= gate.floor.total_seconds() * 1000
    text = (
        f"p95 {candidate.p95_ms:.0f} ms, live {live.p95_ms:.0f} ms (x {ratio:.2f}); harm above x {gate.safe:.2f},"
        f" safe up to x {gate.harm:.2f} or a rise of {gate.floor.total_seconds() * 1000:.0f} ms"
    )
    value = ratio if math.isfinite(ratio) else None

    def measured(outcome: Outcome) -> Finding:
        return Finding("latency_p95", outcome, text, value, gate.safe, gate.harm, fewer)

    if small or ratio <= gate.harm:
        return measured(Outcome.SAFE)
    # Written so that NaN, which compares false with everything, can never become safe or harm.
    slow = ratio > gate.safe and fewer >= FEWEST_FOR_SLOW
    return measured(Outcome.HARM if slow else Outcome.UNKNOWN)


def _agreement(gate: Agreement, fewest: int, evidence: Evidence) -> Finding:
    if evidence.pairs < fewest:
        return _few("agreement", evidence.pairs, fewest)
    share = evidence.agreed / evidence.pairs
    text = (
        f"{evidence.agreed} of {evidence.pairs} mirrored requests had the same answer ({share:.1%});"
        f" harm below {gate.harm:.1%}, safe from {gate.safe:.1%}"
    )
    unharmed = Outcome.SAFE if share >= gate.safe else Outcome.UNKNOWN
    outcome = Outcome.HARM if share < gate.harm else unharmed
    return Finding("agreement", outcome, text, share, gate.harm, gate.safe, evidence.pairs)


def _few(gate: str, seen: int, wanted: int, *, of: str = "") -> Finding:
    text = f"{seen} of at least {wanted} {of}requests seen, {wanted - seen} more needed"
    return Finding(gate, Outcome.UNKNOWN, text, n=seen)
