"""The rules of every rollout, on a batch endpoint: its jobs on the sample end as they like, or are cancelled.

Beside the rules of `outside`: the default deployment is all that is ever written, no job is started while another try
of it may still count, and what is cancelled was running.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import Phase as Examples
from hypothesis import strategies as st
from hypothesis.stateful import rule

from rollout.batch_rows import Compared
from rollout.decision import CancelJob, SetTraffic, StartJob
from rollout.observation import JobSeen
from rollout.phases import Phase
from rollout.record import Record
from rollout.sample import TRIES, Trial, evidence_of, job_name, smoke_of, whose_jobs
from rollout.verdict import Arm, Evidence
from tests.rollout.batch_world import PLACE, WITHIN
from tests.rollout.test_decide_properties import EVIDENCE, Rollouts
from tests.rollout.world import HARM_SAMPLE, NOW, SAFE_SAMPLE, UNKNOWN

QUALITY = {"safe": SAFE_SAMPLE, "harm": HARM_SAMPLE, "unknown": replace(UNKNOWN, source="sample"), "none": None}
NO_JOBS = Evidence(NOW, NOW, Arm(10, 0), Arm(), source="jobs")


class BatchRollouts(Rollouts):
    """The same world, with a batch endpoint in it."""

    place = PLACE

    @rule(data=st.data(), state=st.sampled_from(["Completed", "Completed", "Failed", "Canceled", "Running"]))
    def a_job_comes_to_its_end(self, data: st.DataObject, state: str) -> None:
        running = sorted(name for name, (now, _) in self.loop.azure.jobs.items() if now == "Running")
        if running:
            self.end(data.draw(st.sampled_from(running)), state)

    def end(self, name: str, state: str) -> None:
        self.loop.azure.jobs[name] = (state, self.loop.azure.jobs[name][1])

    def calm_look(self, quality: str, *commands: Any, after: timedelta = timedelta(hours=1)) -> None:
        """Azure does what it is asked, jobs too."""
        for name, (state, _) in self.loop.azure.jobs.items():
            if state == "Running":
                self.end(name, "Completed")
        super().calm_look(quality, *commands, after=after)

    def tried(self, record: Record) -> dict[str, Any]:
        """What a look reads of the jobs."""
        if record.phase in (Phase.FULL, Phase.RETIRING) and record.since is not None:
            return {"evidence": NO_JOBS if self.quality == "unknown" else EVIDENCE[self.quality]}
        if not whose_jobs(record):
            return {}
        names = [job_name(record, whose, attempt) for whose in whose_jobs(record) for attempt in range(TRIES)]
        jobs = tuple(self.job(name) for name in names if name in self.loop.azure.jobs)
        now, trial = self.loop.now, Trial(jobs)
        if record.phase is Phase.TESTING:
            return {"jobs": jobs, "smoke": smoke_of(record, trial, WITHIN)}
        evidence, _ = evidence_of(record, trial, Compared(1, 0, 1, 1), now, WITHIN)
        if evidence is not None and not evidence.said:
            evidence = QUALITY[self.quality]
        return {"jobs": jobs, "evidence": evidence}

    def job(self, name: str) -> JobSeen:
        """The job as a look sees it."""
        state, created = self.loop.azure.jobs[name]
        return JobSeen(name, state, created, late=state == "Running" and self.loop.now - created > WITHIN)

    def look(self, after: timedelta, **how: Any) -> None:
        before = dict(self.loop.azure.jobs)
        super().look(after, **how)
        for action in self.loop.decision.actions if self.loop.decision is not None else ():
            if isinstance(action, SetTraffic):
                assert not action.mirror
                assert list(action.traffic.values()) in ([], [100])
            elif isinstance(action, StartJob):
                tries = [f"{action.name[:-1]}{attempt}" for attempt in range(TRIES)]
                assert action.name not in before, "a job that was started is not started again"
                assert {before[one][0] for one in tries if one in before} <= {"Canceled"}
            elif isinstance(action, CancelJob):
                assert before[action.name][0] == "Running"


TestBatchRollouts = BatchRollouts.TestCase
TestBatchRollouts.settings = settings(
    max_examples=150,
    stateful_step_count=30,
    phases=[Examples.explicit, Examples.generate],  # to make a failure smaller takes minutes
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
