"""Tests that stay valid however often they are looked at: evidence as bets against a hypothesis, from counts alone.

Each function answers the natural logarithm of an e-value: how many times the stake has grown that was bet against its
null hypothesis. If the hypothesis is true, the chance that the stake ever grows to 1/alpha, at any of however many
looks, is at most alpha (Ville's inequality). The stake is spread over bets of fixed sizes, so what it came to is a
function of the counts: nothing is carried from look to look, late rows count, and no row counts twice.

Sources: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting" (JRSS B 2024, arXiv
2010.09686), constant bets; Ramdas, Gruenwald, Vovk and Shafer, "Game-theoretic statistics and safe anytime-valid
inference" (Stat. Sci. 2023, arXiv 2210.01948), products over independent arms and the least over a nuisance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import pairwise

BETS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 0.99)
"""Shares of the stake that are put on each observation; 1 would lose everything at the first that speaks against."""
BET_WEIGHTS = (0.07, 0.08, 0.09, 0.1, 0.1, 0.1, 0.1, 0.12, 0.24)
"""How the stake is spread over the bets. Most lies on the large ones, which decide soonest where nothing goes wrong;
the small ones tell rare events from those that are a little less rare."""
KEPT = 0.5
"""Part of the stake on the other arm that is not bet: what is only in the way of the question must not cost much."""
CLOSE_ENOUGH = 0.01
MOST_SPLITS = 300


def log_above(k: float, n: float, mean: float, *, kept: float = 0.0) -> float:
    """Evidence that the share behind `k` of `n` is above `mean`; the null: it is `mean` at the most.

    `kept` of the stake is not bet at all. Counts may be fractions (discounted for bursts). `mean` is in [0, 1].
    """
    terms = [math.log(kept)] if kept else []
    for bet, weight in zip(BETS, BET_WEIGHTS, strict=True):
        grown = k * math.log1p(bet * (1 - mean) / mean) if mean > 0 and k else 0.0
        if mean <= 0 and k:
            return math.inf
        terms.append(math.log(weight * (1 - kept)) + grown + (n - k) * math.log1p(-bet))
    return _log_sum(terms)


def log_below(k: float, n: float, mean: float, *, kept: float = 0.0) -> float:
    """Evidence that the share behind `k` of `n` is below `mean`; the null: it is `mean` at the least."""
    return log_above(n - k, n, 1 - mean, kept=kept)


def log_rise_above(new: tuple[float, float], old: tuple[float, float], rise: float) -> float:
    """Evidence that the share of `new` (k, n) is more than `rise` above that of `old`; the null: it is not.

    Whatever the share of `old` really is (q), the new one is then at most q + rise: the product of the evidence
    against that and of the evidence against q itself, at the q for which it is least. A lower bound of that least
    value, so never too much.
    """

    def least(low: float, high: float) -> float:
        # The first falls and the second rises with q.
        return log_above(*new, min(high + rise, 1.0)) + log_below(*old, low, kept=KEPT)

    return _least(least, 1.0 - rise)


def log_rise_below(new: tuple[float, float], old: tuple[float, float], rise: float) -> float:
    """Evidence that the share of `new` (k, n) is less than `rise` above that of `old`; the null: it is not."""

    def least(low: float, high: float) -> float:
        return log_below(*new, min(low + rise, 1.0)) + log_above(*old, high, kept=KEPT)

    return _least(least, 1.0 - rise)


def burst_factor(n: int, k: int, blocks: int, nn: int, nk: int, kk: int) -> float:
    """How many requests in a burst tell as much as one: the variance of `k` between blocks over an independent one's.

    `nn`, `nk`, `kk` are the sums over the blocks of n*n, n*k and k*k. At least 1; 1 where too little was seen to tell.
    """
    if blocks < FEWEST_BLOCKS or not 0 < k < n:
        return 1.0
    share = k / n
    between = (kk - 2 * share * nk + share * share * nn) * blocks / (blocks - 1)
    return max(1.0, between / (n * share * (1 - share)))


FEWEST_BLOCKS = 5
"""With fewer, the variance between blocks is a guess."""


def _least(bound: Callable[[float, float], float], end: float) -> float:
    """The least of a function over [0, end], from lower bounds on parts of it, which are split where it is least."""
    parts: list[tuple[float, float, float]] = []
    edges = [0.0, *(end * 10 ** (step / 4 - 4) for step in range(17))]
    for low, high in pairwise(edges):
        heappush(parts, (bound(low, high), low, high))
    for _ in range(MOST_SPLITS):
        value, low, high = heappop(parts)
        middle = (low + high) / 2
        if bound(middle, middle) - value < CLOSE_ENOUGH:
            return value
        heappush(parts, (bound(low, middle), low, middle))
        heappush(parts, (bound(middle, high), middle, high))
    return parts[0][0]


def _log_sum(logs: list[float]) -> float:
    most = max(logs)
    return most + math.log(sum(math.exp(one - most) for one in logs))
