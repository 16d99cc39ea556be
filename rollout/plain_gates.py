"""Plain gates: point estimates over a minimum number of requests, where the policy gives no `gates.alpha`.

An estimate between a gate's two lines decides nothing: harm is an estimate beyond the farther line, safe one on the
near side of the nearer line. Looked at again and again, or with few requests, such a gate is wrong more often than
anybody has said; where that matters, the sequential ones judge (`rollout.sequential_gates`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from policy.gates import Agreement, LatencyRatio, Rise
from rollout.shares import FEWEST_HARMFUL, Shares
from rollout.verdict import Evidence, Finding, Outcome, few

FEWEST_FOR_SLOW = 100
"""A p95 of fewer requests rests on less than five of them: too few to call a version harmful."""


@dataclass(frozen=True)
class PlainGates:
    """The gates with what they need at least: requests on either side."""

    fewest: int

    def rise(self, shares: Shares, gate: Rise) -> Finding:
        """The rise of a share of the requests over live, absolute."""
        (k, n), live_n = shares.candidate, shares.live[1]
        if n < self.fewest:
            return few(shares.gate, n, self.fewest)
        text = f"{shares.text}; harm above a rise of {gate.safe:.2%}, safe up to {gate.harm:.2%}"

        def measured(outcome: Outcome) -> Finding:
            return Finding(shares.gate, outcome, text, shares.rise, gate.safe, gate.harm, n)

        if shares.rise > gate.safe and k >= FEWEST_HARMFUL:
            return measured(Outcome.HARM)
        if live_n < self.fewest:
            # Harm needs no company; "as good as live" does.
            return few(shares.gate, live_n, self.fewest, of="live ")
        return measured(Outcome.SAFE if shares.rise <= gate.harm else Outcome.UNKNOWN)

    def latency(self, evidence: Evidence, gate: LatencyRatio) -> Finding:
        """The ratio of the p95 to live."""
        live, candidate = evidence.live, evidence.candidate
        fewer = min(live.requests, candidate.requests)
        if fewer < self.fewest:
            return few("latency_p95", fewer, self.fewest)
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

    def agreement(self, evidence: Evidence, gate: Agreement) -> Finding:
        """The share of mirrored requests that both answered alike."""
        if evidence.pairs < self.fewest:
            return few("agreement", evidence.pairs, self.fewest)
        share = evidence.agreed / evidence.pairs
        text = (
            f"{evidence.agreed} of {evidence.pairs} mirrored requests had the same answer ({share:.1%});"
            f" harm below {gate.harm:.1%}, safe from {gate.safe:.1%}"
        )
        unharmed = Outcome.SAFE if share >= gate.safe else Outcome.UNKNOWN
        outcome = Outcome.HARM if share < gate.harm else unharmed
        return Finding("agreement", outcome, text, share, gate.harm, gate.safe, evidence.pairs)
