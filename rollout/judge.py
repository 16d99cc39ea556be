"""The judge: (evidence so far) -> harm, safe or unknown, with a finding in numbers for every gate.

Harm if any gate shows harm, safe if every one shows safety, otherwise unknown, which never promotes. With `gates.alpha`
the gates are sequential tests, so that looking often and stopping early makes no verdict more likely to be wrong;
without it, and for the rows of a batch sample, which are judged once, they are plain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from policy.gates import Gates, Rise
from rollout.plain_gates import PlainGates
from rollout.sequential_gates import SequentialGates, requests_enough
from rollout.shares import Shares, counted, failed
from rollout.verdict import Evidence, Finding, Outcome, Verdict, weighed


def judge(gates: Gates, evidence: Evidence | None, *, shadow: bool) -> Verdict:
    """Judge the evidence. Answers are compared in a shadow only; a canary's requests are not answered twice."""
    if evidence is None:
        return weighed([Finding("evidence", Outcome.UNKNOWN, "nothing read yet")])
    if not shadow:
        gates = gates.model_copy(update={"agreement": None})
    findings = [_with_load(finding, evidence) for finding in _findings(gates, evidence)]
    if all(finding.gate in gates.dry_run for finding in findings):
        findings.append(Finding("evidence", Outcome.UNKNOWN, "no gate of the policy applies to this step"))
    return weighed(findings, gates.dry_run)


def _findings(gates: Gates, evidence: Evidence) -> Iterator[Finding]:
    """One finding for every gate that is on."""
    kind: PlainGates | SequentialGates = PlainGates(gates.min_requests)
    if gates.alpha is not None:
        kind = SequentialGates.at(gates.alpha, gates.comparing, gates.min_requests)
    for shares, gate in _shares(gates, evidence):
        yield shares if isinstance(shares, Finding) else kind.rise(shares, gate)
    if gates.latency_p95 is not None:
        yield kind.latency(evidence, gates.latency_p95)
    if gates.agreement is not None:
        yield kind.agreement(evidence, gates.agreement)


def enough(gates: Gates) -> int:
    """The fewest requests on either side that could show a flawless version safe."""
    if gates.alpha is None:
        return gates.min_requests
    return max(gates.min_requests, requests_enough(gates, gates.alpha))


def _shares(gates: Gates, evidence: Evidence) -> Iterator[tuple[Shares | Finding, Rise]]:
    """What the gates that compare shares are given; a finding where a query of the policy's own told nothing."""
    if gates.error_rate is not None:
        yield failed(evidence), gates.error_rate
    read = {one.gate: one for one in evidence.counted}
    for gate in gates.queries:
        one = read.get(gate.name)
        if one is None or one.problem:
            text = one.problem if one is not None else "the query was not run"
            yield Finding(gate.name, Outcome.UNKNOWN, text), gate
        else:
            yield counted(one), gate


def _with_load(finding: Finding, evidence: Evidence) -> Finding:
    """The finding, with how much of what it rests on was load of our own."""
    live, candidate = evidence.live, evidence.candidate
    if not live.load and not candidate.load:
        return finding
    of = f"{candidate.load} of the candidate's {candidate.requests} requests"
    return replace(finding, text=f"{finding.text}; {of} and {live.load} of live's {live.requests} were load")
