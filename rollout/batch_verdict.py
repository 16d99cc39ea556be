"""The judge of batch targets: rows of the sample by the common judge, and jobs, of which a partial failure is none.

Rows take the place of requests: a row that the candidate did not answer is an error, and answers are compared as in a
shadow. The sample is the whole of what is asked about and is judged once, so the gates are plain (`rollout.judge`).
How long a job took says more of the cluster's queue than of the model, so latency is not judged.
"""

from __future__ import annotations

from dataclasses import replace

from policy.gates import Gates
from rollout.judge import judge
from rollout.sample import SAMPLE
from rollout.verdict import Evidence, Finding, Outcome, Verdict, weighed

JOBS = "jobs"
"""Name of the finding, and source of evidence that counts the endpoint's own jobs."""


def judge_batch(gates: Gates, evidence: Evidence) -> Verdict:
    """Judge the two jobs on the sample, or after the switch the jobs of the endpoint's users."""
    if evidence.source != SAMPLE:
        return weighed([_users_jobs(evidence)])
    rows = judge(gates.model_copy(update={"latency_p95": None, "alpha": None, "queries": ()}), evidence, shadow=True)
    told = (replace(one, text=_of_rows(one.text)) for one in rows.findings)
    return weighed([_sample_jobs(evidence), *told], gates.dry_run)


def _of_rows(text: str) -> str:
    """The common judge's words, said of rows."""
    return text.replace("mirrored requests", "rows").replace("requests", "rows")


def _sample_jobs(evidence: Evidence) -> Finding:
    missing, rows = evidence.candidate.errors, evidence.live.requests
    if evidence.said:
        return Finding(
            JOBS, Outcome.HARM, f"live's deployment scored the sample, the candidate's did not: {evidence.said}"
        )
    if missing:
        return Finding(JOBS, Outcome.HARM, f"{missing} of the {rows} rows of live's output are missing")
    return Finding(JOBS, Outcome.SAFE, f"both jobs completed, with {rows} rows of live's output")


def _users_jobs(evidence: Evidence) -> Finding:
    """Two of the candidate's failing where live's did not is harm, and so is one if live's were never seen to fail.

    Going back costs one write and the next job is right again; a batch endpoint may have but one job a day.
    """
    live, candidate = evidence.live, evidence.candidate
    text = (
        f"{candidate.errors} of {candidate.requests} jobs since the switch failed,"
        f" {live.errors} of {live.requests} before it"
    )
    if not candidate.requests:
        return Finding(JOBS, Outcome.UNKNOWN, "no job has ended since the switch")
    base = live.errors / live.requests if live.requests else 0.0
    if candidate.errors and candidate.errors / candidate.requests > base:
        return Finding(JOBS, Outcome.HARM, text)
    return Finding(JOBS, Outcome.UNKNOWN if candidate.errors else Outcome.SAFE, text)
