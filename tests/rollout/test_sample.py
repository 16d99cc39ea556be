"""Jobs on a batch target's sample: their names, and that one which somebody cancelled is started again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from rollout.batch_verdict import judge_batch
from rollout.phases import Phase
from rollout.sample import TRIES, Trial, evidence_of, job_name, smoke_of
from rollout.verdict import Outcome
from tests.rollout.batch_world import ALIKE, NOW, POLICY, WITHIN, batch_record, job

RECORD = batch_record(Phase.SHADOW)


def test_a_name_is_that_of_one_rollout_step_deployment_and_try() -> None:
    others = [
        replace(RECORD, started=RECORD.started + timedelta(seconds=1)),
        replace(RECORD, candidate="another"),
        replace(RECORD, endpoint="elsewhere"),
        replace(RECORD, step=RECORD.step + 1),
    ]
    names = {
        job_name(one, whose, attempt)
        for one in (RECORD, *others)
        for whose in ("candidate", "live")
        for attempt in (0, 1)
    }
    assert len(names) == 20
    assert job_name(RECORD, "live", 0) == job_name(replace(RECORD, writes=99, since=None), "live", 0)


def test_a_name_is_what_azure_takes_for_a_job() -> None:
    name = job_name(replace(RECORD, policy="a.b c/ü", step=12), "candidate", TRIES - 1)
    assert name.replace("-", "").isalnum()
    assert name.isascii()
    assert len(name) < 64


def test_a_cancelled_job_is_started_again_until_it_was_cancelled_thrice() -> None:
    jobs = tuple(job(RECORD, "live", "Canceled", attempt=attempt) for attempt in range(TRIES))
    assert Trial(()).next_name(RECORD, "live") == job_name(RECORD, "live", 0)
    assert Trial(jobs[:1]).next_name(RECORD, "live") == job_name(RECORD, "live", 1)
    assert Trial(jobs[:1]).next_name(RECORD, "candidate") == job_name(RECORD, "candidate", 0)
    assert Trial(jobs).next_name(RECORD, "live") is None


def test_a_job_that_runs_or_came_to_something_is_not_started_again() -> None:
    for state in ("NotStarted", "Preparing", "Running", "Completed", "Failed"):
        assert Trial((job(RECORD, "live", state),)).next_name(RECORD, "live") is None


def test_a_smoke_test_tells_the_job_by_its_name_so_that_a_person_can_open_it() -> None:
    record = batch_record(Phase.TESTING)
    smoke = smoke_of(record, Trial((job(record, "candidate", "Failed", failure="no column y"),)), WITHIN)
    assert smoke is not None
    assert not smoke.passed
    assert job_name(record, "candidate", 0) in smoke.text
    assert "no column y" in smoke.text


def test_a_partial_failure_is_harm_even_where_all_rows_that_there_are_agree() -> None:
    jobs = (job(RECORD, "live", "Completed"), job(RECORD, "candidate", "Completed", failed=1))
    evidence, _ = evidence_of(RECORD, Trial(jobs), ALIKE, NOW, WITHIN)
    assert evidence is not None
    assert judge_batch(POLICY.gates, evidence).outcome is Outcome.HARM


def test_as_long_as_lives_own_job_is_no_success_nothing_is_said_of_the_candidate() -> None:
    for state in ("Failed", "Canceled", "Running"):
        jobs = (job(RECORD, "live", state), job(RECORD, "candidate", "Failed"))
        evidence, missing = evidence_of(RECORD, Trial(jobs), None, NOW, WITHIN)
        assert evidence is None
        assert missing
