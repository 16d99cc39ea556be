"""A batch target: what it must say, and what it need not."""

from __future__ import annotations

from policy.load import load
from tests.policy.texts import VALID, complaints, edited

LOGS = "    log_analytics_workspace_id: 00000000-0000-0000-0000-000000000002\n"
SAMPLE = "    kind: batch\n    sample: azureml://datastores/workspaceblobstore/paths/samples/credit\n"
BATCH = edited((LOGS, SAMPLE))


def test_a_batch_target_needs_no_logs_even_when_online_ones_are_exported() -> None:
    assert complaints(BATCH) == []


def test_a_batch_target_needs_the_input_that_a_new_version_is_tried_on() -> None:
    assert complaints(edited((LOGS, "    kind: batch\n"))) == [
        "targets[0].kind: a batch target needs `sample`: the input on which the new version is tried"
    ]


def test_the_same_name_may_be_an_online_and_a_batch_endpoint_which_are_two() -> None:
    first = VALID[VALID.index("  - name: production") : VALID.index("steps:")]
    second = edited(("production", "nightly"), (LOGS, SAMPLE), text=first)
    policy = load(edited(("steps:", f"{second}steps:")), "credit.yaml")
    assert [target.kind for target in policy.targets] == ["online", "batch"]


def test_batch_jobs_are_not_judged_by_their_time_alone() -> None:
    text = edited(
        ("  error_rate: {harm: 0.005, safe: 0.01}\n", "  error_rate: null\n"),
        ("  agreement: {harm: 0.95, safe: 0.97}\n", "  agreement: null\n"),
        text=BATCH,
    )
    assert complaints(text) == [
        "gates: batch jobs are judged by their rows, not by their time: turn on agreement or error_rate"
    ]
