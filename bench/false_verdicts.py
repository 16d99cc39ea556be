"""How often the gates are wrong when they are looked at again and again, and how many requests they need to be right.

    python -m bench.false_verdicts [RUNS]

Streams of requests are drawn with a fixed seed and looked at as a rollout would: every 50 requests of the candidate,
then more seldom, 36 times up to 6,000. Of a version that is exactly on a line the table says how often it was called
what it is not; of others, how many of the candidate's requests it took to call it what it is. The plain gates, which
judge where a policy gives no `alpha`, see the same streams. Budget (design): wrong at most as often as alpha says, 5 %.
Exit status 1 when the sequential gates were wrong more often than bad luck at alpha explains (three standard errors).
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policy.gates import Agreement, Gates, LatencyRatio, Rise
from rollout.evidence import Lines
from rollout.judge import judge
from rollout.sequential import burst_factor
from rollout.verdict import Arm, Evidence, Outcome
from tests.rollout.world import NOW

ALPHA = 0.05
RUNS = 100
LOOKS = (*range(50, 1000, 50), *range(1000, 6001, 300))
LIVE_PER_REQUEST = 4
"""A canary of 20 %: live gets four requests for one of the candidate."""
LINES = LatencyRatio(harm=1.10, safe=1.20)

Draw = Callable[[np.random.Generator], Iterator[Evidence]]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """Streams of one kind; `wrong` is the outcome that must be rare, `right` the one that is waited for."""

    name: str
    gates: Gates
    draw: Draw
    shadow: bool = False
    wrong: Outcome | None = None
    right: Outcome | None = None


def errors(new: float, old: float, *, swing: bool = False) -> Draw:
    """Requests that fail with these chances; with `swing` both are twenty times worse in every fifth of the time."""

    def draw(rng: np.random.Generator) -> Iterator[Evidence]:
        n, m = LOOKS[-1], LOOKS[-1] * LIVE_PER_REQUEST
        worse = np.where((np.arange(n) // 60) % 5 == 0, 20.0, 1.0) if swing else np.ones(n)
        failed = rng.random(n) < np.minimum(old * worse + (new - old), 1.0)
        live = rng.random(m) < np.minimum(old * np.repeat(worse, LIVE_PER_REQUEST), 1.0)
        for look in LOOKS:
            arm = Arm(look, int(failed[:look].sum()), 50.0)
            of = look * LIVE_PER_REQUEST
            yield Evidence(NOW, NOW, Arm(of, int(live[:of].sum()), 50.0), arm)

    return draw


def latency(slower: float, *, ar: float = 0.0) -> Draw:
    """Log-normal times; `ar` is the correlation of one request's time with the one before, in each arm by itself."""

    def draw(rng: np.random.Generator) -> Iterator[Evidence]:
        n, m = LOOKS[-1], LOOKS[-1] * LIVE_PER_REQUEST
        new, old = slower * _times(rng, n, ar), _times(rng, m, ar)
        for look in LOOKS:
            yield _timed(new[:look], old[: look * LIVE_PER_REQUEST])

    return draw


def _times(rng: np.random.Generator, n: int, ar: float) -> Floats:
    noise = rng.normal(size=n)
    for i in range(1, n if ar else 0):
        noise[i] = ar * noise[i - 1] + (1 - ar * ar) ** 0.5 * noise[i]
    return 200.0 * np.exp(0.3 * noise)


def _timed(new: Floats, old: Floats) -> Evidence:
    """Counted as `requests.kql` counts them."""
    base = float(np.percentile(old, 95))
    beyond = [Lines.of(LINES).beyond(ms, base) for ms in new]
    harmful, unsafe = sum(h for h, _ in beyond), sum(u for _, u in beyond)
    blocks = np.array_split(old > base, 60)
    counts = [(len(block), int(block.sum())) for block in blocks if len(block)]
    sums = sum(n * n for n, _ in counts), sum(n * k for n, k in counts), sum(k * k for _, k in counts)
    slow = int((old > base).sum())
    burst = burst_factor(len(old), slow, len(counts), *sums)
    live = Arm(len(old), 0, base, timed=len(old), slow=slow, burst=burst)
    p95 = float(np.percentile(new, 95))
    return Evidence(NOW, NOW, live, Arm(len(new), 0, p95, timed=len(new), harmful=harmful, unsafe=unsafe))


def agreement(share: float) -> Draw:
    """Pairs that agree with this chance."""

    def draw(rng: np.random.Generator) -> Iterator[Evidence]:
        agreed = rng.random(LOOKS[-1]) < share
        for look in LOOKS:
            yield Evidence(NOW, NOW, Arm(look), Arm(look), pairs=look, agreed=int(agreed[:look].sum()))

    return draw


def _only(**gates: Rise | LatencyRatio | Agreement) -> Gates:
    return Gates().model_copy(update={"error_rate": None, "latency_p95": None, "agreement": None, **gates})


E, L, A = (
    _only(error_rate=Rise(harm=0.005, safe=0.01)),
    _only(latency_p95=LINES),
    _only(agreement=Agreement(harm=0.95, safe=0.97)),
)
HARM, SAFE = Outcome.HARM, Outcome.SAFE
CASES = (
    Case("errors: on the harmful line (0.5 % and 1.0 %)", E, errors(0.01, 0.005), wrong=HARM),
    Case("errors: on the safe line (0.1 % and 1.1 %)", E, errors(0.011, 0.001), wrong=SAFE),
    Case("errors: as good as live, both swing 20 x", E, errors(0.005, 0.005, swing=True), wrong=HARM),
    Case("errors: as good as live (0.1 %)", E, errors(0.001, 0.001), wrong=HARM, right=SAFE),
    Case("errors: 3 points more", E, errors(0.031, 0.001), wrong=SAFE, right=HARM),
    Case("latency: on the harmful line (x 1.10)", L, latency(1.10), wrong=HARM),
    Case("latency: the same, in bursts (AR 0.8)", L, latency(1.10, ar=0.8), wrong=HARM),
    Case("latency: on the safe line (x 1.20)", L, latency(1.20), wrong=SAFE),
    Case("latency: the same, in bursts (AR 0.8)", L, latency(1.20, ar=0.8), wrong=SAFE),
    Case("latency: as fast as live", L, latency(1.0), wrong=HARM, right=SAFE),
    Case("latency: x 1.5", L, latency(1.5), wrong=SAFE, right=HARM),
    Case("agreement: on the harmful line (95 %)", A, agreement(0.95), shadow=True, wrong=HARM),
    Case("agreement: on the safe line (97 %)", A, agreement(0.97), shadow=True, wrong=SAFE),
    Case("agreement: 99.5 %", A, agreement(0.995), shadow=True, wrong=HARM, right=SAFE),
    Case("agreement: 85 %", A, agreement(0.85), shadow=True, wrong=SAFE, right=HARM),
)


def main() -> int:
    """Draw, judge and print; 1 when the sequential gates were wrong too often."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    print(f"{runs} runs a line, {len(LOOKS)} looks each, alpha {ALPHA:.0%}\n")
    print(f"{'':46} {'sequential gates':>24} {'plain gates':>24}")
    print(f"{'':46} {'wrong':>8} {'right after':>15} {'wrong':>8} {'right after':>15}")
    worst = 0.0
    for number, case in enumerate(CASES):
        row = [f"{case.name:46}"]
        for alpha in (ALPHA, None):
            gates = case.gates.model_copy(update={"alpha": alpha})
            wrong, right = _judged(case, gates, np.random.default_rng(number), runs)
            worst = max(worst, wrong if alpha else 0.0)
            row.append(f"{wrong:>8.1%} {right:>15}")
        print(" ".join(row), flush=True)
    print("\nwrong: called so at any look. right after: requests of the candidate, median / 90 % of the runs.")
    luck = ALPHA + 3 * (ALPHA * (1 - ALPHA) / runs) ** 0.5
    return 1 if worst > luck else 0


def _judged(case: Case, gates: Gates, rng: np.random.Generator, runs: int) -> tuple[float, str]:
    wrong, after = 0, list[float]()
    for _ in range(runs):
        outcomes = {}
        for look, evidence in zip(LOOKS, case.draw(rng), strict=True):
            outcome = judge(gates, evidence, shadow=case.shadow).outcome
            outcomes.setdefault(outcome, look)
            if outcome in (case.wrong, case.right):
                break
        wrong += case.wrong in outcomes
        after.append(outcomes.get(case.right, float("inf")) if case.right else 0.0)
    if case.right is None:
        return wrong / runs, ""
    median, most = statistics.median(after), sorted(after)[int(0.9 * runs)]
    return wrong / runs, f"{_count(median)} / {_count(most)}"


def _count(n: float) -> str:
    return f"{n:.0f}" if n != float("inf") else "never"


if __name__ == "__main__":
    sys.exit(main())
