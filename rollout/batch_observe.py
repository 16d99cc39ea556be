"""What a look sees of a batch target: the jobs on the sample, or after the switch those of the endpoint's users.

A job that has ended never changes, so its output is read once: the comparison is kept in the record. Outputs are read
up to a size, since both are held in memory while they are paired.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from cloud.batch_jobs import BatchJob
from cloud.errors import CloudError, Permanent
from policy.model import Full, Policy, Target
from rollout.batch_rows import Compared, compare
from rollout.batch_verdict import JOBS
from rollout.context import Context
from rollout.endpoint import EndpointSeen
from rollout.observation import JobSeen, Smoke
from rollout.phases import Phase
from rollout.place import Place
from rollout.recall import RETIRING_TIMES
from rollout.record import Outputs, Record
from rollout.sample import TRIES, Trial, Whose, deployment_of, evidence_of, job_name, smoke_of, whose_jobs
from rollout.sample_jobs import output_of, workspace
from rollout.verdict import Arm, Evidence

LARGEST_OUTPUT = 16 * 1024 * 1024
"""Bytes: some hundred thousand rows. A sample need not be larger to tell two versions apart."""
MOST_JOBS = 50
"""Jobs of each deployment that a bake looks at, the newest."""
OURS = "understudy-"


@dataclass(frozen=True)
class TrialSeen:
    """What was seen of a batch target's jobs in one look."""

    jobs: tuple[JobSeen, ...] | None = None
    outputs: Outputs | None = None
    smoke: Smoke | None = None
    evidence: Evidence | None = None


@dataclass
class _Reader:
    """One look at one batch target."""

    context: Context
    place: Place
    policy: Policy
    target: Target
    record: Record
    endpoint: EndpointSeen
    now: datetime
    renew: Callable[[], None]
    trouble: list[str] = field(default_factory=list)

    def read(self) -> TrialSeen:
        """What the record's phase needs."""
        if whose_jobs(self.record):
            return self._trial()
        since = self.record.since
        if self.record.phase in (Phase.FULL, Phase.RETIRING) and since is not None and self._is_time(since):
            return TrialSeen(evidence=self._users_jobs(since))
        return TrialSeen()

    def _is_time(self, since: datetime) -> bool:
        """Whether to list the users' jobs again: they take minutes, so that every look need not.

        As seldom as the endpoint itself is read (rollout.recall), and once the bake is over, which waits for it.
        """
        last = self.record.evidence_at
        if last is None or last < since:
            return True
        step = self.policy.steps[self.record.step]
        if isinstance(step, Full) and last < since + step.bake <= self.now:
            return True
        longest = self.context.reread * (RETIRING_TIMES if self.record.phase is Phase.RETIRING else 1)
        return self.now - last >= longest

    def _trial(self) -> TrialSeen:
        within = self.policy.deployment.batch.sample_within
        whose = whose_jobs(self.record)
        trial = Trial(tuple(job for one in whose for job in self._tries(one)))
        if self.record.phase is Phase.TESTING:
            return TrialSeen(trial.jobs, smoke=smoke_of(self.record, trial, within))
        outputs = self._outputs(trial)
        compared = outputs.compared if outputs else None
        evidence, missing = evidence_of(self.record, trial, compared, self.now, within)
        if missing:
            self.trouble.append(missing)
        return TrialSeen(trial.jobs, outputs, evidence=evidence)

    def _tries(self, whose: Whose) -> list[JobSeen]:
        """The tries of one job, up to the first that was not cancelled."""
        found = list[JobSeen]()
        for attempt in range(TRIES):
            self.renew()
            job = self.context.batch_jobs.read(self.place.endpoint_id, job_name(self.record, whose, attempt))
            if job is None:
                break
            found.append(self._seen(job, whose))
            if not found[-1].canceled:
                break
        return found

    def _seen(self, job: BatchJob, whose: Whose) -> JobSeen:
        failure, size = "", None
        if job.status == "Failed":
            failure = self.context.batch_jobs.failure(self.place.endpoint_id, job.name)
        known = self.record.outputs is not None and job.name in self.record.outputs.jobs
        if job.status == "Completed" and not known and self._writes_rows(deployment_of(self.record, whose)):
            size = self.context.datastores.length(output_of(job.name), workspace(self.target)) or 0
        late = not job.ended and self.now - job.created > self.policy.deployment.batch.sample_within
        return JobSeen(job.name, job.status, job.created, failure, job.failed, size, late)

    def _writes_rows(self, name: str) -> bool:
        deployment = self.endpoint.deployments.get(name)
        return deployment is None or deployment.writes_rows

    def _outputs(self, trial: Trial) -> Outputs | None:
        """The comparison of the two last jobs when both are complete: kept, or made now."""
        live, candidate = trial.last(self.record, "live"), trial.last(self.record, "candidate")
        if live is None or candidate is None or {live.state, candidate.state} != {"Completed"}:
            return None
        jobs = f"{live.name} {candidate.name}"
        if self.record.outputs is not None and self.record.outputs.jobs == jobs:
            return self.record.outputs
        if live.size is None or candidate.size is None:
            self.trouble.append("rows can be compared only where both deployments have `outputAction` AppendRow")
            return None
        return Outputs(jobs, self._compared(live, candidate))

    def _compared(self, live: JobSeen, candidate: JobSeen) -> Compared:
        gate = self.policy.gates.agreement
        with TemporaryDirectory() as folder:
            ours, theirs = (self._lines(job, Path(folder) / job.name) for job in (candidate, live))
        return compare(theirs, ours, gate.tolerance if gate is not None else 0.0)

    def _lines(self, job: JobSeen, path: Path) -> list[str]:
        if not job.size:
            return []
        if job.size > LARGEST_OUTPUT:
            raise Permanent(
                f"the output of {job.name} has {job.size} bytes, more than {LARGEST_OUTPUT}: give a smaller `sample`"
            )
        self.renew()
        self.context.datastores.download(output_of(job.name), workspace(self.target), path)
        return path.read_text("utf-8", errors="replace").splitlines()

    def _users_jobs(self, since: datetime) -> Evidence:
        candidate = [job for job in self._jobs_of(self.record.candidate) if job.created >= since]
        live = self._jobs_of(self.record.live) if self.record.live else []
        return Evidence(since, self.now, self._arm(live), self._arm(candidate), source=JOBS)

    def _jobs_of(self, deployment: str) -> list[BatchJob]:
        """Jobs that came to an end and that were not on the sample."""
        self.renew()
        found = self.context.batch_jobs.of(self.place.endpoint_id, deployment, MOST_JOBS)
        return [job for job in found if job.status in ("Completed", "Failed") and not job.name.startswith(OURS)]

    def _arm(self, jobs: list[BatchJob]) -> Arm:
        """Jobs as requests. A list does not tell what a completed one could not score; the job itself does."""
        failed = 0
        for job in jobs:
            partly = job.status == "Completed" and self._failed_partly(job)
            failed += job.status == "Failed" or partly
        return Arm(len(jobs), failed)

    def _failed_partly(self, job: BatchJob) -> bool:
        self.renew()
        whole = self.context.batch_jobs.read(self.place.endpoint_id, job.name)
        return whole is not None and whole.failed > 0


def read_trial(
    context: Context,
    place: Place,
    policy: Policy,
    target: Target,
    record: Record,
    endpoint: EndpointSeen,
    trouble: list[str],
    *,
    now: datetime,
    renew: Callable[[], None],
) -> TrialSeen:
    """What the jobs of a batch target show; what could not be read is named in `trouble`."""
    try:
        return _Reader(context, place, policy, target, record, endpoint, now, renew, trouble).read()
    except CloudError as error:
        trouble.append(str(error))
        return TrialSeen()
