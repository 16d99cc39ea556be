"""Gates of the policy's own: shares counted by its queries, and gates that only run dry."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policy.gates import Gates, QueryGate
from rollout.evidence import counts
from rollout.judge import judge
from rollout.phases import Phase
from rollout.verdict import Counted, Evidence, Finding, Outcome, Verdict
from tests.rollout.world import HARM, POLICY, SAFE, decided, standing, world_of

DECLINED = QueryGate(name="declined", query="AppEvents", harm=0.02, safe=0.05)


def counted(candidate: tuple[int, int], live: tuple[int, int] = (1000, 10_000), problem: str = "") -> Evidence:
    return replace(SAFE, counted=(Counted("declined", live, candidate, problem),))


def judged(evidence: Evidence, **gates: Any) -> Verdict:
    return judge(Gates(queries=(DECLINED,), **gates), evidence, shadow=True)


def own(verdict: Verdict) -> Finding:
    (found,) = (finding for finding in verdict.findings if finding.gate == "declined")
    return found


@pytest.mark.parametrize("alpha", [None, 0.05])
@pytest.mark.parametrize(("candidate", "outcome"), [((100, 1000), "safe"), ((300, 1000), "harm"), ((1, 10), "unknown")])
def test_a_share_that_a_query_counts_is_judged_as_the_error_rate_is(
    alpha: float | None, candidate: tuple[int, int], outcome: str
) -> None:
    verdict = judged(counted(candidate), alpha=alpha, latency_p95=None)

    assert verdict.outcome == outcome
    assert own(verdict).outcome == outcome


def test_its_finding_tells_what_was_counted() -> None:
    assert own(judged(counted((300, 1000)))).text.startswith(
        "300 of 1000 counted (30.00%), live 1000 of 10000 (10.00%)"
    )


@pytest.mark.parametrize(
    "evidence", [counted((0, 0), problem="the query could not be run: timed out"), SAFE], ids=["failed", "not run"]
)
def test_a_query_that_tells_nothing_promotes_nothing_and_hides_no_harm(evidence: Evidence) -> None:
    assert judged(evidence).outcome is Outcome.UNKNOWN
    assert judged(replace(HARM, counted=evidence.counted)).outcome is Outcome.HARM


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([], (0, 0)),
        ([{"DeploymentName": "old", "requests": 9, "counted": 1}], (0, 0)),
        ([{"DeploymentName": "new", "requests": 9, "counted": 1.0}], (1, 9)),
    ],
)
def test_rows_are_read_by_deployment(rows: list[dict[str, Any]], found: tuple[int, int]) -> None:
    assert counts(rows, "new") == found


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"DeploymentName": "new", "requests": 9}, "no column counted"),
        ({"requests": 9, "counted": 1}, "no column DeploymentName"),
        ({"DeploymentName": "new", "requests": 9, "counted": 10}, "counts 10 of 9"),
        ({"DeploymentName": "new", "requests": 9, "counted": -1}, "counts -1 of 9"),
        ({"DeploymentName": "new", "requests": "9", "counted": 1}, "counts 1 of '9'"),
        ({"DeploymentName": "new", "requests": 9, "counted": float("nan")}, "counts nan of 9"),
        ({"DeploymentName": "new", "requests": 9, "counted": None}, "counts None of 9"),
    ],
)
def test_rows_that_are_no_counts_are_refused_with_what_they_lack(row: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        counts([row], "new")


def test_a_gate_that_runs_dry_is_told_and_decides_nothing() -> None:
    gates = Gates(dry_run=("error_rate",))
    verdict = judge(gates, HARM, shadow=True)

    assert verdict.outcome is Outcome.SAFE
    assert [(one.gate, one.outcome) for one in verdict.measured] == [
        ("error_rate", "harm"),
        ("latency_p95", "safe"),
        ("agreement", "safe"),
    ]
    assert verdict.measured[0].text.startswith("dry run: 100 of 1000 failed")
    assert not any("error_rate" in reason for reason in verdict.reasons)


def test_with_dry_gates_alone_nothing_is_called_safe() -> None:
    gates = Gates(dry_run=("error_rate", "latency_p95"))

    assert judge(gates, SAFE, shadow=False).outcome is Outcome.UNKNOWN


def test_harm_in_a_dry_gate_moves_no_traffic_and_stands_in_the_record() -> None:
    policy = POLICY.model_copy(update={"gates": Gates(dry_run=("error_rate",))})

    decision = decided(standing(Phase.CANARY), world_of(Phase.CANARY), policy=policy, evidence=HARM)

    assert decision.record.phase is Phase.CANARY
    assert not decision.actions
    assert decision.record.evidence[0].text.startswith("dry run: ")
