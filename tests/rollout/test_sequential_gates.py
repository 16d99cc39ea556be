"""The gates of a policy with `alpha`: when each shows harm or safety, and what it says while it shows neither."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policy.gates import Agreement, Gates, LatencyRatio, Rise
from rollout.judge import enough, judge
from rollout.verdict import Arm, Evidence, Finding, Outcome, Verdict
from tests.rollout.world import NOW

GATES = Gates(alpha=0.05)
"""The default lines: errors 0.5 and 1 points above live, p95 x 1.10 and x 1.20, agreement 95 and 97 %."""


def arm(requests: int, errors: int = 0, *, slow: int = 0, beyond: tuple[int, int] = (0, 0), burst: float = 1.0) -> Arm:
    """Requests of a deployment, all of them timed; `beyond` what harms and what is safe."""
    harmful, unsafe = beyond
    return Arm(requests, errors, 50.0, timed=requests, slow=slow, harmful=harmful, unsafe=unsafe, burst=burst)


LIVE = arm(9000, 9, slow=450)


def seen(
    candidate: Arm, live: Arm = LIVE, *, pairs: int = 0, agreed: int = 0, source: str = "log_analytics"
) -> Evidence:
    return Evidence(NOW, NOW, live, candidate, pairs, agreed, source=source)


def only(gate: str, **changes: object) -> Gates:
    """Gates of which only one is on."""
    off = {name: None for name in ("error_rate", "latency_p95", "agreement") if name != gate}
    return GATES.model_copy(update={**off, **changes})


def of(verdict: Verdict, gate: str) -> Finding:
    (found,) = (finding for finding in verdict.findings if finding.gate == gate)
    return found


def errors(candidate: tuple[int, int], live: Arm = LIVE) -> Finding:
    return of(judge(only("error_rate"), seen(arm(*candidate), live), shadow=False), "error_rate")


@pytest.mark.parametrize(
    ("candidate", "outcome"),
    [
        ((2, 2), "unknown"),
        ((3, 3), "harm"),
        ((60, 6), "harm"),
        ((60, 2), "unknown"),
        ((300, 0), "unknown"),
        ((500, 0), "safe"),
        ((2000, 2), "safe"),
        ((2000, 16), "unknown"),
    ],
    ids=[
        "two errors are never harm",
        "three of three are, without waiting for a minimum",
        "a tenth of the requests fail",
        "two in sixty may be chance",
        "too few to show safety",
        "enough that never failed",
        "as good as live",
        "between the lines",
    ],
)
def test_errors(candidate: tuple[int, int], outcome: str) -> None:
    assert errors(candidate).outcome == outcome


def test_harm_is_asked_for_first_when_a_version_is_shown_to_be_between_the_lines() -> None:
    found = errors((100_000, 850), arm(90_000, 90))

    assert found.outcome is Outcome.HARM


def test_errors_that_live_has_too_are_not_held_against_the_candidate() -> None:
    # Both lose a fifth of their requests: a backend is down. Live alone tells so.
    assert errors((1000, 200), arm(9000, 1800)).outcome is Outcome.UNKNOWN
    assert errors((1000, 200), arm(9000, 0)).outcome is Outcome.HARM


def test_safety_needs_the_policys_minimum_of_both() -> None:
    assert errors((2000, 0), arm(49)).text == "49 of at least 50 requests seen, 1 more needed"


def test_a_gate_that_shows_neither_says_how_far_it_is_and_how_many_more_it_takes() -> None:
    found = errors((300, 0))

    assert found.outcome is Outcome.UNKNOWN
    assert found.text == (
        "0 of 300 failed (0.00%), live 9 of 9000 (0.10%); harm is a rise above 0.50%, safe one below 1.00%: evidence of"
        " safety x 4.3 of x 20 needed, about 159 more at this rate"
    )
    assert errors((500, 0)).outcome is Outcome.SAFE


def test_a_gate_whose_evidence_does_not_grow_says_so() -> None:
    assert errors((300, 4)).text.endswith("of x 20 needed, and it does not grow with what was seen so far")


def test_a_finding_has_its_value_its_lines_and_its_number() -> None:
    found = errors((1000, 100))

    assert found.value == pytest.approx(0.099)
    assert (found.harm, found.safe, found.n) == (0.005, 0.01, 1000)
    assert found.text.endswith("harm is shown, evidence x 1000000 and more where x 20 is enough")


def latency(candidate: Arm, live: Arm = LIVE, source: str = "log_analytics") -> Finding:
    return of(judge(only("latency_p95"), seen(candidate, live, source=source), shadow=False), "latency_p95")


@pytest.mark.parametrize(
    ("beyond", "outcome"),
    [((250, 200), "harm"), ((60, 50), "unknown"), ((40, 12), "safe"), ((0, 0), "safe")],
    ids=["a quarter is in the tail", "the tail is as allowed", "a shorter tail", "no tail"],
)
def test_latency_is_judged_by_the_tail_beyond_lives_p95(beyond: tuple[int, int], outcome: str) -> None:
    assert latency(arm(1000, beyond=beyond)).outcome == outcome


def test_slow_requests_in_bursts_tell_less() -> None:
    bursty = replace(LIVE, burst=20.0)

    assert latency(arm(1000, beyond=(110, 60))).outcome is Outcome.HARM
    found = latency(arm(1000, beyond=(110, 60)), bursty)
    assert found.outcome is Outcome.UNKNOWN
    assert "slow ones come in bursts, 20.0 count as one" in found.text


@pytest.mark.parametrize(
    ("minutes", "outcome"),
    [((5, 5, 5), "unknown"), ((12, 12, 12), "harm"), ((12, 0, 0), "safe"), ((12, 6, 6), "unknown")],
)
def test_where_only_metrics_are_known_minutes_are_judged(minutes: tuple[int, int, int], outcome: str) -> None:
    timed, harmful, unsafe = minutes
    candidate = Arm(1000, 0, 50.0, timed=timed, harmful=harmful, unsafe=unsafe)

    found = latency(candidate, Arm(9000, 0, 50.0, timed=timed), source="metrics")

    assert found.outcome == outcome
    assert f"{harmful} of {timed} minutes above" in found.text


@pytest.mark.parametrize("candidate", [Arm(1000, 0, None, timed=1000), Arm(1000, 0, 50.0)])
def test_a_latency_that_is_not_known_is_neither_safe_nor_harm(candidate: Arm) -> None:
    assert latency(candidate).outcome is Outcome.UNKNOWN


def agreement(pairs: int, agreed: int) -> Finding:
    return of(judge(only("agreement"), seen(arm(pairs), pairs=pairs, agreed=agreed), shadow=True), "agreement")


@pytest.mark.parametrize(
    ("pairs", "agreed", "outcome"),
    [
        (49, 0, "unknown"),
        (60, 30, "harm"),
        (100, 100, "unknown"),
        (140, 140, "safe"),
        (1000, 960, "unknown"),
        (20_000, 19_200, "unknown"),
        (20_000, 18_800, "harm"),
    ],
    ids=["too few", "half differ", "not yet enough", "enough", "between", "between for ever", "shown to be below"],
)
def test_agreement(pairs: int, agreed: int, outcome: str) -> None:
    assert agreement(pairs, agreed).outcome == outcome


def test_harm_is_shown_at_alpha_shared_among_the_gates_that_are_asked() -> None:
    evidence = seen(arm(1000, 8), pairs=500, agreed=500)
    alone = judge(only("error_rate"), evidence, shadow=True)
    among = judge(GATES, seen(arm(1000, 100), pairs=500, agreed=500), shadow=True)

    assert "needed" in of(alone, "error_rate").text
    assert of(among, "error_rate").text.endswith("where x 60 is enough")


def test_one_gate_that_does_not_know_keeps_the_others_from_promoting() -> None:
    evidence = seen(arm(2000, 1), pairs=60, agreed=60)

    assert judge(GATES, evidence, shadow=False).outcome is Outcome.SAFE
    assert judge(GATES, evidence, shadow=True).outcome is Outcome.UNKNOWN


def test_how_many_flawless_requests_could_be_enough_is_known_beforehand() -> None:
    wide = Gates(
        alpha=0.05, error_rate=Rise(harm=0.05, safe=0.1), latency_p95=None, agreement=Agreement(harm=0.8, safe=0.9)
    )

    assert enough(Gates()) == 50
    assert enough(GATES) == 489
    assert enough(wide) == 50
    assert enough(wide.model_copy(update={"latency_p95": LatencyRatio(harm=1.1, safe=1.2)})) == 177
