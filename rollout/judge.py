"""The judge: (evidence so far) -> harm, safe or unknown, with a finding in numbers for every gate.

Harm if any gate shows harm, safe if every one shows safety, otherwise unknown, which never promotes. With `gates.alpha`
the gates are sequential tests, so that looking often and stopping early makes no verdict more likely to be wrong;
without it, and for the rows of a batch sample, which are judged once, they are plain.
"""

from __future__ import annotations

from dataclasses import replace

from policy.gates import Gates
from rollout import plain_gates, sequential_gates
from rollout.verdict import Evidence, Finding, Outcome, Verdict


def judge(gates: Gates, evidence: Evidence | None, *, shadow: bool) -> Verdict:
    """Judge the evidence. Answers are compared in a shadow only; a canary's requests are not answered twice."""
    if evidence is None:
        return Verdict(Outcome.UNKNOWN, (Finding("evidence", Outcome.UNKNOWN, "nothing read yet"),))
    if not shadow:
        gates = gates.model_copy(update={"agreement": None})
    findings = (
        _plain(gates, evidence) if gates.alpha is None else sequential_gates.findings(gates, gates.alpha, evidence)
    )
    if not findings:
        findings = [Finding("evidence", Outcome.UNKNOWN, "no gate of the policy applies to this step")]
    findings = [_with_load(finding, evidence) for finding in findings]
    outcomes = {f.outcome for f in findings}
    if Outcome.HARM in outcomes:
        return Verdict(Outcome.HARM, tuple(findings))
    return Verdict(Outcome.SAFE if outcomes == {Outcome.SAFE} else Outcome.UNKNOWN, tuple(findings))


def enough(gates: Gates) -> int:
    """The fewest requests on either side that could show a flawless version safe."""
    if gates.alpha is None:
        return gates.min_requests
    return max(gates.min_requests, sequential_gates.enough(gates, gates.alpha))


def _plain(gates: Gates, evidence: Evidence) -> list[Finding]:
    found = []
    if gates.error_rate is not None:
        found.append(plain_gates.error_rate(gates.error_rate, gates.min_requests, evidence))
    if gates.latency_p95 is not None:
        found.append(plain_gates.latency(gates.latency_p95, gates.min_requests, evidence))
    if gates.agreement is not None:
        found.append(plain_gates.agreement(gates.agreement, gates.min_requests, evidence))
    return found


def _with_load(finding: Finding, evidence: Evidence) -> Finding:
    """The finding, with how much of what it rests on was load of our own."""
    live, candidate = evidence.live, evidence.candidate
    if not live.load and not candidate.load:
        return finding
    of = f"{candidate.load} of the candidate's {candidate.requests} requests"
    return replace(finding, text=f"{finding.text}; {of} and {live.load} of live's {live.requests} were load")
