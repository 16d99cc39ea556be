"""Gates that may be looked at as often as one likes: each asks two sequential tests, one for harm and one for safety.

Harm is shown at a level of alpha shared among the step's gates, for any of them may go back; safety at alpha by each of
them, for all must show it. Each line is tested by itself: harm beyond `harm`, safe within `safe`, which is the looser
one, so that a version that is exactly as good as live can be shown safe. Between them, and before there is enough
evidence, a gate says how many more requests it would take at the present rate.

Latency is judged by the share of requests that are slower than a threshold made of live's p95, against the share of
live's own requests above that p95: a tail is counted, not estimated. Slow requests come in bursts, which tell less than
independent ones, so those counts are discounted by how bursty live's own are.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

from policy.gates import Agreement, Gates, LatencyRatio, Rise
from rollout.sequential import log_above, log_below, log_rise_above, log_rise_below
from rollout.shares import FEWEST_HARMFUL, Shares
from rollout.verdict import Evidence, Finding, Outcome, few

HALF = 0.5
"""Where only minutes are known: a version that is as fast as allowed is slower than that in half of them."""

TAIL = 0.05
"""Share of requests beyond their own p95."""
MOST_ASKED = 1_000_000
"""A line so near that this many would not do is no line that anybody meant."""


Strength = Callable[[float], float]
"""The log of the evidence, if the counts were so many times what they are."""


@dataclass(frozen=True)
class SequentialGates:
    """The gates with what they need at least: requests on either side, and logs of evidence."""

    fewest: int
    harm: float
    safe: float

    @classmethod
    def at(cls, alpha: float, gates: int, fewest: int) -> SequentialGates:
        """For so many gates that are asked in the step."""
        return cls(fewest, math.log(max(gates, 1) / alpha), math.log(1 / alpha))

    def rise(self, shares: Shares, gate: Rise) -> Finding:
        """The rise of a share of the requests over live, absolute."""
        new, old = shares.candidate, shares.live
        if not new[1]:
            return few(shares.gate, 0, self.fewest)
        text = f"{shares.text}; harm is a rise above {gate.harm:.2%}, safe one below {gate.safe:.2%}"

        def finding(outcome: Outcome, more: str) -> Finding:
            return Finding(shares.gate, outcome, f"{text}: {more}", shares.rise, gate.harm, gate.safe, new[1])

        harmful = log_rise_above(new, old, gate.harm)
        if harmful >= self.harm and new[0] >= FEWEST_HARMFUL:
            return finding(Outcome.HARM, _shown("harm", harmful, self.harm))
        if min(old[1], new[1]) < self.fewest:
            return few(shares.gate, min(old[1], new[1]), self.fewest)

        def strength(times: float) -> float:
            return log_rise_below(_times(new, times), _times(old, times), gate.safe)

        return finding(*_safe(strength, self.safe, new[1]))

    def latency(self, evidence: Evidence, gate: LatencyRatio) -> Finding:
        """The share of requests that are slower than a ratio to live's p95."""
        live, candidate = evidence.live, evidence.candidate
        fewer = min(live.requests, candidate.requests)
        if fewer < self.fewest:
            return few("latency_p95", fewer, self.fewest)
        if not live.p95_ms or candidate.p95_ms is None or not candidate.timed:
            return Finding("latency_p95", Outcome.UNKNOWN, "no latency is known for one of the two deployments")
        ratio = candidate.p95_ms / live.p95_ms
        text = _tail(evidence, gate, ratio)

        def finding(outcome: Outcome, more: str) -> Finding:
            value = ratio if math.isfinite(ratio) else None
            return Finding("latency_p95", outcome, f"{text}: {more}", value, gate.harm, gate.safe, fewer)

        harmful = _slower(evidence, harm_line=True, times=1)
        if harmful >= self.harm:
            return finding(Outcome.HARM, _shown("harm", harmful, self.harm))
        return finding(
            *_safe(lambda times: _slower(evidence, harm_line=False, times=times), self.safe, candidate.timed)
        )

    def agreement(self, evidence: Evidence, gate: Agreement) -> Finding:
        """The share of mirrored requests that both answered alike."""
        if evidence.pairs < self.fewest:
            return few("agreement", evidence.pairs, self.fewest)
        pairs = (evidence.agreed, evidence.pairs)
        share = evidence.agreed / evidence.pairs
        text = (
            f"{evidence.agreed} of {evidence.pairs} mirrored requests had the same answer ({share:.1%});"
            f" harm is below {gate.harm:.1%}, safe above {gate.safe:.1%}"
        )

        def finding(outcome: Outcome, more: str) -> Finding:
            return Finding("agreement", outcome, f"{text}: {more}", share, gate.harm, gate.safe, evidence.pairs)

        harmful = log_below(*pairs, gate.harm)
        if harmful >= self.harm:
            return finding(Outcome.HARM, _shown("harm", harmful, self.harm))
        return finding(*_safe(lambda times: log_above(*_times(pairs, times), gate.safe), self.safe, evidence.pairs))


def requests_enough(gates: Gates, alpha: float) -> int:
    """The fewest requests with which a version that never fails, is never slow and always agrees is shown safe."""
    needed = math.log(1 / alpha)
    asked: list[Callable[[int], float]] = []
    for line in (gates.error_rate, *gates.queries):
        if line is not None:
            asked.append(lambda n, most=line.safe: log_rise_below((0, n), (0, n), most))  # type: ignore[misc]
    if gates.latency_p95 is not None:
        asked.append(lambda n: log_rise_below((0, n), (TAIL * n, n), 0.0))
    if gates.agreement is not None:
        share = gates.agreement.safe
        asked.append(lambda n: log_above(n, n, share))
    return max((bisect_left(range(MOST_ASKED), needed, key=one) for one in asked), default=0)


def _tail(evidence: Evidence, gate: LatencyRatio, ratio: float) -> str:
    """What was counted of latencies, in words."""
    live, candidate = evidence.live, evidence.candidate
    minutes = evidence.source == "metrics"
    text = (
        f"p95 {candidate.p95_ms:.0f} ms, live {live.p95_ms:.0f} ms (x {ratio:.2f}); {candidate.harmful} of"
        f" {candidate.timed} {'minutes' if minutes else 'requests'} above x {gate.harm:.2f}, {candidate.unsafe} above"
        f" x {gate.safe:.2f} (both a rise of {gate.floor.total_seconds() * 1000:.0f} ms at least)"
    )
    if not minutes:
        text += f", {live.slow} of live's {live.timed} above x 1"
    if live.burst > 1:
        text += f"; slow ones come in bursts, {live.burst:.1f} count as one"
    return text


def _slower(evidence: Evidence, *, harm_line: bool, times: float) -> float:
    """Evidence that the candidate is slower than what harms; without `harm_line`, that it is no slower than is safe."""
    live, candidate = evidence.live, evidence.candidate
    scale = times / live.burst
    new = _times((candidate.harmful if harm_line else candidate.unsafe, candidate.timed), scale)
    if evidence.source == "metrics":
        return log_above(*new, HALF) if harm_line else log_below(*new, HALF)
    old = _times((live.slow, live.timed), scale)
    return log_rise_above(new, old, 0.0) if harm_line else log_rise_below(new, old, 0.0)


def _safe(strength: Strength, needed: float, n: int) -> tuple[Outcome, str]:
    """Whether safety is shown, and in words how far it is shown."""
    now = strength(1.0)
    if now >= needed:
        return Outcome.SAFE, _shown("safety", now, needed)
    growth = (strength(2.0) - now) / n
    text = f"evidence of safety {_odds(now)} of {_odds(needed)} needed"
    if growth <= 0:
        return Outcome.UNKNOWN, f"{text}, and it does not grow with what was seen so far"
    return Outcome.UNKNOWN, f"{text}, about {math.ceil((needed - now) / growth)} more at this rate"


def _shown(what: str, strength: float, needed: float) -> str:
    return f"{what} is shown, evidence {_odds(strength)} where {_odds(needed)} is enough"


def _odds(log: float) -> str:
    """An e-value as people read it."""
    if log > math.log(1e6):
        return "x 1000000 and more"
    value = math.exp(log)
    return f"x {value:.0f}" if value >= 10 else f"x {value:.2g}"


def _times(counts: tuple[float, float], times: float) -> tuple[float, float]:
    return counts[0] * times, counts[1] * times
