"""The gates' lines, their minimum, and numbers that are none."""

from __future__ import annotations

import math

import pytest

from policy.gates import Gates
from rollout.judge import judge
from rollout.verdict import Outcome, Verdict
from tests.rollout.world import HARM, SAFE, UNKNOWN, evidence

GATES = Gates()
"""The defaults: errors 0.5 and 1 points above live, p95 x 1.10 and x 1.20 (20 ms free), agreement 95 and 97 %."""


def judged(seen: object, *, shadow: bool = False, gates: Gates = GATES) -> Verdict:
    return judge(gates, seen, shadow=shadow)  # type: ignore[arg-type]


def outcome(verdict: Verdict, gate: str) -> str:
    (found,) = (finding.outcome.value for finding in verdict.findings if finding.gate == gate)
    return found


@pytest.mark.parametrize(
    ("errors", "expected"),
    [(0, "safe"), (50, "safe"), (51, "unknown"), (100, "unknown"), (101, "harm"), (10_000, "harm")],
)
def test_a_rise_of_errors_is_safe_up_to_the_near_line_and_harm_beyond_the_far_one(errors: int, expected: str) -> None:
    verdict = judged(evidence(candidate=(10_000, errors), live=(10_000, 0)))

    assert outcome(verdict, "error_rate") == expected


def test_errors_that_live_has_too_are_not_held_against_the_candidate() -> None:
    verdict = judged(evidence(candidate=(1000, 200), live=(1000, 200)))

    assert verdict.outcome is Outcome.SAFE


@pytest.mark.parametrize(("errors", "expected"), [(2, "unknown"), (3, "harm")])
def test_fewer_than_three_errors_are_never_harm(errors: int, expected: str) -> None:
    verdict = judged(evidence(candidate=(50, errors)))

    assert outcome(verdict, "error_rate") == expected


@pytest.mark.parametrize(
    ("candidate", "live", "expected"),
    [
        ((49, 49), (1000, 0), "unknown"),
        ((50, 50), (1000, 0), "harm"),
        ((1000, 0), (49, 0), "unknown"),
        ((1000, 0), (50, 0), "safe"),
        ((1000, 0), (0, 0), "unknown"),
        ((1000, 500), (0, 0), "harm"),
    ],
    ids=[
        "too few of the candidate decide nothing",
        "enough of the candidate show harm",
        "too few of live cannot show safety",
        "enough of both show safety",
        "no live requests cannot show safety",
        "no live requests do not hide harm",
    ],
)
def test_safe_needs_enough_requests_of_both_and_harm_enough_of_the_candidate(
    candidate: tuple[int, int], live: tuple[int, int], expected: str
) -> None:
    verdict = judged(evidence(candidate=candidate, live=live))

    assert outcome(verdict, "error_rate") == expected


@pytest.mark.parametrize(
    ("p95", "live_p95", "expected"),
    [
        (1100.0, 1000.0, "safe"),
        (1101.0, 1000.0, "unknown"),
        (1200.0, 1000.0, "unknown"),
        (1201.0, 1000.0, "harm"),
        (30.0, 10.0, "safe"),
        (31.0, 10.0, "harm"),
        (500.0, 1000.0, "safe"),
    ],
    ids=["near line", "past it", "far line", "past it too", "a small rise", "no small rise", "faster"],
)
def test_latency_is_judged_by_its_ratio_to_live_and_a_small_rise_is_never_harm(
    p95: float, live_p95: float, expected: str
) -> None:
    verdict = judged(evidence(p95=(live_p95, p95)))

    assert outcome(verdict, "latency_p95") == expected


@pytest.mark.parametrize(
    "p95", [(None, 50.0), (50.0, None), (0.0, 50.0), (math.nan, 50.0), (50.0, math.nan), (math.nan, math.nan)]
)
def test_a_latency_that_is_not_known_is_neither_safe_nor_harm(p95: tuple[float | None, float | None]) -> None:
    verdict = judged(evidence(p95=p95))

    assert outcome(verdict, "latency_p95") == "unknown"
    assert verdict.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(("candidate", "live"), [((49, 0), (1000, 0)), ((1000, 0), (49, 0))])
def test_latency_needs_enough_requests_on_either_side(candidate: tuple[int, int], live: tuple[int, int]) -> None:
    verdict = judged(evidence(candidate=candidate, live=live, p95=(10.0, 900.0)))

    assert outcome(verdict, "latency_p95") == "unknown"


@pytest.mark.parametrize(
    ("pairs", "agreed", "expected"),
    [(0, 0, "unknown"), (49, 0, "unknown"), (100, 94, "harm"), (100, 95, "unknown"), (100, 97, "safe")],
)
def test_answers_that_differ_too_often_are_harm_and_too_few_pairs_decide_nothing(
    pairs: int, agreed: int, expected: str
) -> None:
    verdict = judged(evidence(pairs=pairs, agreed=agreed), shadow=True)

    assert outcome(verdict, "agreement") == expected


def test_answers_are_compared_in_a_shadow_only() -> None:
    assert judged(evidence(pairs=0), shadow=False).outcome is Outcome.SAFE
    assert judged(evidence(pairs=0), shadow=True).outcome is Outcome.UNKNOWN


def test_one_gate_that_shows_harm_outweighs_all_that_are_safe() -> None:
    verdict = judged(evidence(pairs=1000, agreed=0), shadow=True)

    assert [finding.outcome for finding in verdict.findings] == [Outcome.SAFE, Outcome.SAFE, Outcome.HARM]
    assert verdict.outcome is Outcome.HARM
    assert [reason.split(":")[0] for reason in verdict.reasons] == ["agreement"]


def test_one_gate_that_does_not_know_keeps_the_others_from_promoting() -> None:
    assert judged(evidence(p95=(None, None))).outcome is Outcome.UNKNOWN


def test_a_gate_that_is_turned_off_is_not_asked() -> None:
    gates = Gates(latency_p95=None)

    verdict = judged(evidence(p95=(10.0, 900.0)), gates=gates)

    assert [finding.gate for finding in verdict.findings] == ["error_rate"]
    assert verdict.outcome is Outcome.SAFE


def test_where_no_gate_applies_nothing_is_called_safe() -> None:
    gates = Gates(error_rate=None, latency_p95=None)

    assert judged(SAFE, gates=gates).outcome is Outcome.UNKNOWN


def test_no_evidence_is_unknown() -> None:
    assert judged(None).outcome is Outcome.UNKNOWN


def test_the_minimum_is_the_policys() -> None:
    few = evidence(candidate=(20, 0), live=(20, 0))

    assert judged(few, gates=Gates(min_requests=20)).outcome is Outcome.SAFE
    assert judged(few, gates=Gates(min_requests=21)).outcome is Outcome.UNKNOWN


def test_every_finding_is_kept_with_its_numbers() -> None:
    measured = judged(HARM, shadow=True).measured

    assert [(m.gate, m.outcome) for m in measured] == [
        ("error_rate", "harm"),
        ("latency_p95", "safe"),
        ("agreement", "safe"),
    ]
    assert measured[0].text.startswith("100 of 1000 failed (10.00%), live 0 of 1000 (0.00%)")
    assert judged(UNKNOWN).measured[0].text == "10 of at least 50 requests seen, 40 more needed"
