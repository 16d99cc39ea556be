"""The jobs on a batch target's sample: which there should be, what they came to, when they are started and ended. Pure.

A batch endpoint has no traffic to mirror or share, so a version is tried on a sample: by its own deployment in the
smoke test, and beside the live one in shadow and check. Jobs are named from the rollout, its step and whose they are,
so that a worker that died after starting one finds it again. A job that somebody cancelled says nothing of the version
and is started again, up to three times; one that does not end within `sample_within` is cancelled and has failed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

from policy.durations import lasting
from rollout.batch_rows import Compared
from rollout.codec import stamp
from rollout.decision import CancelJob, Decision, StartJob
from rollout.look import Look
from rollout.observation import JobSeen, Smoke
from rollout.phases import Flag, Phase
from rollout.record import Record
from rollout.verdict import Arm, Evidence

Whose = Literal["candidate", "live"]

TRIES = 3
"""How often a job is started that somebody cancels each time."""
SAMPLE = "sample"
"""Source of evidence that comes from the two jobs on the sample."""
REFUSED_AGAIN = 10
"""Looks between two tries of a job that Azure refused for good."""

_COMPARED = (Phase.SHADOW, Phase.CHECKING)


def whose_jobs(record: Record) -> tuple[Whose, ...]:
    """Whose job on the sample the record's phase waits for."""
    if not record.batch:
        return ()
    if record.phase is Phase.TESTING:
        return ("candidate",)
    return ("candidate", "live") if record.phase in _COMPARED else ()


def deployment_of(record: Record, whose: Whose) -> str:
    """The deployment that runs the job."""
    return record.candidate if whose == "candidate" else record.live or ""


def job_name(record: Record, whose: Whose, attempt: int) -> str:
    """The job's name: never that of another rollout, step or deployment."""
    rollout = f"{record.policy}/{record.target}/{record.endpoint}/{record.candidate}/{stamp(record.started)}"
    return f"understudy-{sha256(rollout.encode()).hexdigest()[:12]}-{record.step}-{whose}-{attempt}"


@dataclass(frozen=True)
class Trial:
    """The jobs of one step, as they were seen: for each whose they are the last try, None before the first."""

    jobs: tuple[JobSeen, ...]

    def last(self, record: Record, whose: Whose) -> JobSeen | None:
        """The last try, or None when none was started yet."""
        names = {job_name(record, whose, attempt) for attempt in range(TRIES)}
        tried = [job for job in self.jobs if job.name in names]
        return max(tried, key=lambda job: job.name, default=None)

    def next_name(self, record: Record, whose: Whose) -> str | None:
        """The name of the job to start now; None while one runs, has an outcome, or was cancelled too often."""
        last = self.last(record, whose)
        if last is None:
            return job_name(record, whose, 0)
        attempt = int(last.name.rsplit("-", 1)[1]) + 1
        return job_name(record, whose, attempt) if last.canceled and attempt < TRIES else None


def problem(job: JobSeen, within: timedelta) -> str:
    """Why a job is no success, or nothing while it is one or may yet become one; `within` is the time that it has."""
    if job.late:
        return f"job {job.name} did not end within {lasting(within)}"
    if job.state == "Failed":
        return f"job {job.name} failed: {job.failure or 'Azure gives no reason'}"
    if job.state == "Completed" and job.failed:
        return f"job {job.name} completed, but {job.failed} of its files or rows failed"
    if job.state == "Completed" and job.size == 0:
        return f"job {job.name} completed without a single row of output"
    return ""


def smoke_of(record: Record, trial: Trial, within: timedelta) -> Smoke | None:
    """What the candidate's job on the sample came to; None while it has no outcome."""
    job = trial.last(record, "candidate")
    if job is None or job.canceled:
        return None
    wrong = problem(job, within)
    if wrong:
        return Smoke(False, wrong)
    if job.state != "Completed":
        return None
    size = "" if job.size is None else f" with {job.size} bytes of rows"
    return Smoke(True, f"job {job.name} on the sample completed{size}")


def evidence_of(
    record: Record, trial: Trial, compared: Compared | None, now: datetime, within: timedelta
) -> tuple[Evidence | None, str]:
    """(the evidence of the two jobs, None while there is none; what is in its way, in words).

    `compared` is None where the outputs could not be compared; then whoever tried has said why.

    Only where live's job is a success can the candidate's be called worse: a sample that both cannot score, or a
    cluster that fails both, is not the version's fault.
    """
    live, candidate = trial.last(record, "live"), trial.last(record, "candidate")
    if live is None or candidate is None:
        return None, "the jobs on the sample are being started"
    wrong = problem(live, within) or ("it was canceled" if live.canceled else "")
    if wrong:
        return None, f"live's own job on the sample is no success, so there is nothing to compare with: {wrong}"
    if live.state != "Completed":
        return None, f"live's job on the sample is {live.state}"
    wrong = problem(candidate, within)
    if wrong:
        return Evidence(candidate.created, now, Arm(), Arm(), source=SAMPLE, said=wrong), ""
    if candidate.canceled or candidate.state != "Completed":
        return None, f"the candidate's job on the sample is {candidate.state}"
    if compared is None:
        return None, ""
    found = Arm(compared.rows, compared.missing)
    pairs, agreed = compared.pairs, compared.agreed
    return Evidence(candidate.created, now, Arm(compared.rows, 0), found, pairs, agreed, source=SAMPLE), ""


def with_jobs(look: Look, decision: Decision) -> Decision:
    """The decision with the jobs that it needs started, and those that are not needed any more cancelled."""
    record = decision.record
    if not record.batch:
        return decision
    if look.seen.outputs is not None and look.seen.outputs != record.outputs:
        record = replace(record, outputs=look.seen.outputs)
        decision = replace(decision, record=record)
    seen = look.seen.jobs or ()
    if record.step != look.record.step or record.phase is not look.record.phase:
        # Another step: its jobs have other names, so none of those that were seen is among them.
        useless = tuple(CancelJob(job.name) for job in seen if not job.ended)
        return replace(decision, actions=(*decision.actions, *useless, *_starts(look, record, Trial(()))))
    late = tuple(CancelJob(job.name) for job in seen if job.late)
    if look.seen.jobs is None or not whose_jobs(record):
        return decision
    starts = _starts(look, record, Trial(seen))
    if starts and look.record.refused:
        waiting = look.now + look.pace * REFUSED_AGAIN
        return replace(decision, record=replace(record, next_look=waiting))
    return replace(decision, actions=(*decision.actions, *late, *starts))


def _starts(look: Look, record: Record, trial: Trial) -> tuple[StartJob, ...]:
    if Flag.FROZEN in record.flags or replace(look, record=record).stopped:
        return ()
    named = ((whose, trial.next_name(record, whose)) for whose in whose_jobs(record))
    return tuple(StartJob(name, deployment_of(record, whose)) for whose, name in named if name is not None)
