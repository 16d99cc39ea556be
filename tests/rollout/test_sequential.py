"""The arithmetic of the sequential tests, against exact enumeration: no sampling, so no test that is right by luck."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import pytest

from rollout.sequential import burst_factor, log_above, log_below, log_rise_above, log_rise_below

ALPHA = 0.1


def chance(k: int, n: int, p: float) -> float:
    """Of `k` in `n` independent requests."""
    return math.comb(n, k) * p**k * (1 - p) ** (n - k)


@pytest.mark.parametrize("mean", [0.005, 0.05, 0.5, 0.95, 0.999])
@pytest.mark.parametrize("n", [1, 7, 60])
@pytest.mark.parametrize("kept", [0.0, 0.5])
@pytest.mark.parametrize("evidence", [log_above, log_below])
def test_on_the_line_itself_the_stake_grows_by_nothing_on_average(
    evidence: Callable[..., float], mean: float, n: int, kept: float
) -> None:
    grown = sum(chance(k, n, mean) * math.exp(evidence(k, n, mean, kept=kept)) for k in range(n + 1))

    assert grown == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(("mean", "true"), [(0.05, 0.03), (0.5, 0.4), (0.95, 0.9)])
def test_on_the_near_side_of_the_line_it_shrinks_on_average(mean: float, true: float) -> None:
    above = sum(chance(k, 40, true) * math.exp(log_above(k, 40, mean)) for k in range(41))
    below = sum(chance(k, 40, 1 - true) * math.exp(log_below(k, 40, 1 - mean)) for k in range(41))

    assert above < 1
    assert below < 1


def crossing(mean: float, looks: int) -> float:
    """The exact chance that the evidence reaches 1/alpha at any of so many looks, one after each request."""
    needed, crossed, paths = math.log(1 / ALPHA), 0.0, {0: 1.0}
    for n in range(1, looks + 1):
        after: dict[int, float] = {}
        for k, p in paths.items():
            after[k] = after.get(k, 0.0) + p * (1 - mean)
            after[k + 1] = after.get(k + 1, 0.0) + p * mean
        crossed += sum(p for k, p in after.items() if log_above(k, n, mean) >= needed)
        paths = {k: p for k, p in after.items() if log_above(k, n, mean) < needed}
    return crossed


@pytest.mark.parametrize("mean", [0.01, 0.05, 0.5, 0.95])
def test_looking_after_every_request_shows_what_is_not_so_with_a_chance_of_alpha_at_most(mean: float) -> None:
    assert 0 < crossing(mean, 300) <= ALPHA


@pytest.mark.parametrize(("old", "rise"), [(0.0, 0.1), (0.1, 0.05), (0.3, 0.0), (0.6, 0.2)])
def test_two_arms_on_the_line_grow_by_nothing_on_average_whatever_live_is(old: float, rise: float) -> None:
    new, n, m = old + rise, 12, 20
    counts = list(product(range(n + 1), range(m + 1)))
    weights = [chance(k, n, new) * chance(j, m, old) for k, j in counts]
    above = sum(w * math.exp(log_rise_above((k, n), (j, m), rise)) for w, (k, j) in zip(weights, counts, strict=True))
    below = sum(w * math.exp(log_rise_below((k, n), (j, m), rise)) for w, (k, j) in zip(weights, counts, strict=True))

    assert above <= 1 + 1e-9
    assert below <= 1 + 1e-9


@pytest.mark.parametrize("new", [(0, 500), (5, 400), (40, 400), (400, 400)])
@pytest.mark.parametrize("old", [(0, 0), (0, 4000), (3, 4000), (400, 4000)])
@pytest.mark.parametrize("rise", [0.0, 0.005, 0.1])
def test_the_least_over_what_live_may_be_is_found_and_never_overstated(
    new: tuple[int, int], old: tuple[int, int], rise: float
) -> None:
    shares = [(1 - rise) * step / 4000 for step in range(1, 4000)]
    above = min(log_above(*new, q + rise) + log_below(*old, q, kept=0.5) for q in shares)
    below = min(log_below(*new, q + rise) + log_above(*old, q, kept=0.5) for q in shares)

    assert above - 0.5 < log_rise_above(new, old, rise) <= above
    assert below - 0.5 < log_rise_below(new, old, rise) <= below


def test_a_version_that_never_fails_is_shown_safe_within_a_point_after_495_requests() -> None:
    needed = math.log(1 / 0.05)

    assert log_rise_below((0, 494), (0, 4200), 0.01) < needed <= log_rise_below((0, 495), (0, 4200), 0.01)


def test_evidence_of_a_rise_does_not_come_from_live_alone() -> None:
    assert log_rise_above((0, 100), (0, 10_000), 0.005) < 0
    assert log_rise_below((0, 0), (500, 1000), 0.01) < math.log(20)


def test_live_that_fails_as_often_takes_the_evidence_of_harm_away() -> None:
    assert log_rise_above((50, 500), (0, 5000), 0.005) > math.log(1000)
    assert log_rise_above((50, 500), (500, 5000), 0.005) < 0


def blocks(*counts: tuple[int, int]) -> tuple[int, int, int, int, int, int]:
    """(n, k, blocks, nn, nk, kk) of (requests, slow ones) in each block."""
    return (
        sum(n for n, _ in counts),
        sum(k for _, k in counts),
        len(counts),
        sum(n * n for n, _ in counts),
        sum(n * k for n, k in counts),
        sum(k * k for _, k in counts),
    )


def test_slow_requests_that_all_come_in_one_block_in_ten_count_as_few() -> None:
    assert burst_factor(*blocks(*[(50, 0)] * 9, (50, 25))) == pytest.approx(26.3, abs=0.1)


def test_slow_requests_that_are_spread_evenly_all_count() -> None:
    assert burst_factor(*blocks(*[(50, 2), (50, 3)] * 5)) == 1.0


@pytest.mark.parametrize("counts", [[(50, 0)] * 10, [(50, 50)] * 10, [(50, 0), (50, 50)]])
def test_where_nothing_can_be_told_of_bursts_all_count(counts: list[tuple[int, int]]) -> None:
    assert burst_factor(*blocks(*counts)) == 1.0
