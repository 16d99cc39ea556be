"""Drift through real clients: the exported data set in, log messages, result, report and retraining out."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from time import monotonic, sleep
from typing import Any

import numpy as np
import pyarrow
import pytest

from cloud.insights import Insights
from cloud.jobs import Jobs
from cloud.models import Place as Workspace
from drift.context import Context
from drift.doors import queue_due, run
from drift.retrain import job_name
from drift.store import Place, latest_result, save_result
from policy.model import Policy, Target
from tests.analysis_cloud import AnalysisCloud, input_line, output_line

Known = tuple[Policy, Target, str]
_NUMBERS = count(1)
BASELINE = "azureml://datastores/workspaceblobstore/paths/baselines/reference.csv"


def known(analysis: AnalysisCloud, **parts: Any) -> Known:
    drift = {"baseline": BASELINE, "every": "1s", "window": "60s", "features": {"code": "categorical"}}
    return analysis.policy(f"drift-{next(_NUMBERS)}", **{"drift": drift, **parts})


def context(analysis: AnalysisCloud, one: Known) -> Context:
    return Context(analysis.blobs, analysis.queues, analysis.datastores, analysis.jobs, analysis.insights, [one])


def place(one: Known) -> Place:
    return Place(one[0].name, one[1].name, one[2])


def people(rows: int, *, age: float) -> list[dict[str, Any]]:
    chance = np.random.default_rng(5)
    return [
        {"age": round(float(a), 2), "code": int(c), "extra": None}
        for a, c in zip(chance.normal(age, 5, rows), chance.integers(1, 4, rows), strict=True)
    ]


@pytest.fixture(autouse=True)
def baseline(analysis: AnalysisCloud) -> None:
    lines = ["age,code", *(f"{row['age']},{row['code']}" for row in people(300, age=40))]
    analysis.cloud.blobs.upload("azureml-blobstore", "baselines/reference.csv", "\n".join(lines).encode())


def traffic(analysis: AnalysisCloud, one: Known, rows: int, *, age: float) -> None:
    """Requests of ten rows, logged and exported."""
    analysis.export(one, datetime.now(UTC) - timedelta(seconds=5))
    data = people(rows, age=age)
    for start in range(0, rows, 10):
        part, request = data[start : start + 10], f"r{start}"
        analysis.log(one[1], one[2], "blue", input_line(request, part), output_line(request, [0.5] * len(part)))
    analysis.export(one, analysis.visible())


def results(analysis: AnalysisCloud, one: Known) -> list[dict[str, Any]]:
    names = [each.name for each in analysis.blobs.list("drift", f"{place(one).path}/results/")]
    return [json.loads(stored.data) for name in names if (stored := analysis.blobs.read("drift", name))]


def measured(analysis: AnalysisCloud, given: Context) -> list[dict[str, Any]]:
    for message in queue_due(given, datetime.now(UTC)):
        run(given, message, datetime.now(UTC))
    return results(analysis, given.endpoints[0])


def asked(analysis: AnalysisCloud, kql: str) -> list[dict[str, Any]]:
    now = datetime.now(UTC)
    return analysis.logs.query(
        analysis.cloud.settings.log_analytics_workspace_id, kql, now - timedelta(hours=1), now + timedelta(hours=1)
    )


def published(analysis: AnalysisCloud, model: str) -> list[dict[str, Any]]:
    kql = f"AppTraces | where Message has '{model}' | order by TimeGenerated asc | project Message"
    return [json.loads(row["Message"]) for row in asked(analysis, kql)]


def test_drifted_traffic_is_measured_published_and_reported_once(analysis: AnalysisCloud) -> None:
    one = known(analysis, model={"name": "drifted-model"})
    traffic(analysis, one, 80, age=60)
    given = context(analysis, one)
    [result] = measured(analysis, given)
    assert (result["status"], result["rows"], result["baseline_rows"]) == ("measured", 80, 300)
    assert result["overall"] == {
        "n_features": 2,
        "n_drifted_features": 1,
        "share_drifted_features": 0.5,
        "dataset_drift": True,
    }
    assert [(each["feature_name"], each["drift_detected"]) for each in result["features"]] == [
        ("age", True),
        ("code", False),
    ]
    assert result["skipped"]["extra"] == "not in the baseline"
    page = analysis.blobs.read("drift", result["report"])
    assert page is not None
    assert b"<html" in page.data
    assert measured(analysis, given) == [result]
    sent = published(analysis, "drifted-model")
    assert [(message["type"], message["data"]) for message in sent] == [
        ("OverallDriftMetrics", result["overall"]),
        ("FeatureDriftMetrics", [{k: v for k, v in each.items() if k != "threshold"} for each in result["features"]]),
    ]


def test_the_example_scenarios_own_queries_read_the_messages(analysis: AnalysisCloud) -> None:
    one = known(analysis, model={"name": "scenario-model"})
    traffic(analysis, one, 60, age=60)
    [result] = measured(analysis, context(analysis, one))
    data = "project TimeGenerated, data=parse_json(tostring(Message)).data"
    [overall] = asked(
        analysis,
        "AppTraces | where Message has 'scenario-model' and Message has 'OverallDriftMetrics' "
        f"| {data} | evaluate bag_unpack(data)",
    )
    assert {name: overall[name] for name in result["overall"]} == result["overall"]
    features = asked(
        analysis,
        "AppTraces | where Message has 'scenario-model' and Message has 'FeatureDriftMetrics' "
        f"| {data} | mv-expand data | evaluate bag_unpack(data)",
    )
    assert sorted(row["feature_name"] for row in features) == ["age", "code"]


def test_few_rows_are_not_enough_data_and_never_drift(analysis: AnalysisCloud) -> None:
    one = known(analysis, model={"name": "quiet-model"})
    traffic(analysis, one, 40, age=90)
    [result] = measured(analysis, context(analysis, one))
    assert result["status"] == "not enough data"
    assert "40 rows against 300: at least 50" in result["reason"]
    assert published(analysis, "quiet-model") == []


def test_a_baseline_that_is_not_there_is_said_in_the_result(analysis: AnalysisCloud) -> None:
    drift = {"baseline": "azureml://datastores/workspaceblobstore/paths/gone.parquet", "every": "1s", "window": "60s"}
    one = known(analysis, drift=drift)
    traffic(analysis, one, 60, age=40)
    [result] = measured(analysis, context(analysis, one))
    assert result["status"] == "not possible"
    assert "paths/gone.parquet" in result["reason"]


def test_mirrored_requests_are_measured_once(analysis: AnalysisCloud) -> None:
    one = known(analysis)
    analysis.export(one, datetime.now(UTC) - timedelta(seconds=5))
    for number, person in enumerate(people(60, age=40)):
        for deployment in ("live", "a-shadow")[: 2 - number % 2]:
            lines = input_line(f"r{number}", [person]), output_line(f"r{number}", [0.5])
            analysis.log(one[1], one[2], deployment, *lines)
    analysis.export(one, analysis.visible())
    [result] = measured(analysis, context(analysis, one))
    assert result["rows"] == 60


def test_the_newest_result_is_read_without_a_listing(analysis: AnalysisCloud) -> None:
    one = known(analysis)
    assert latest_result(analysis.blobs, place(one)) is None
    traffic(analysis, one, 60, age=40)
    given = context(analysis, one)
    measured(analysis, given)
    analysis.export(one, analysis.visible())
    last = measured(analysis, given)[-1]
    assert latest_result(analysis.blobs, place(one)) == last
    before = datetime.fromisoformat(last["until"]) - timedelta(hours=1)
    save_result(analysis.blobs, place(one), before, {"until": "an hour before"})
    assert latest_result(analysis.blobs, place(one)) == last


def test_data_that_cannot_be_compared_is_said_in_the_result(
    analysis: AnalysisCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise pyarrow.ArrowInvalid("no such number")

    one = known(analysis)
    traffic(analysis, one, 60, age=40)
    monkeypatch.setattr("drift.work.comparable", refuse)
    [result] = measured(analysis, context(analysis, one))
    assert (result["status"], result["reason"]) == ("not possible", "ArrowInvalid: no such number")


def test_whole_numbers_beyond_the_exact_floats_do_not_end_the_measurement(analysis: AnalysisCloud) -> None:
    one = known(analysis)
    traffic(analysis, one, 60, age=40)
    for request, value in (("big", 2**53 + 1), ("small", 0.5)):
        analysis.log(one[1], one[2], "blue", input_line(request, [{"extra": value}]), output_line(request, [0.5]))
        analysis.export(one, analysis.visible())
    assert measured(analysis, context(analysis, one))[-1]["status"] == "measured"


def test_a_new_baseline_file_replaces_the_copy(analysis: AnalysisCloud) -> None:
    one = known(analysis)
    traffic(analysis, one, 60, age=60)
    given = context(analysis, one)
    assert measured(analysis, given)[-1]["overall"]["dataset_drift"] is True
    lines = ["age,code", *(f"{row['age']},{row['code']}" for row in people(200, age=60))]
    analysis.cloud.blobs.upload("azureml-blobstore", "baselines/reference.csv", "\n".join(lines).encode())
    analysis.export(one, analysis.visible())
    last = measured(analysis, given)[-1]
    assert (last["baseline_rows"], last["overall"]["dataset_drift"]) == (200, False)


def test_without_a_baseline_the_first_full_window_becomes_it(analysis: AnalysisCloud) -> None:
    one = known(analysis, drift={"every": "1s", "window": "60s", "features": {"code": "categorical"}})
    traffic(analysis, one, 60, age=40)
    given = context(analysis, one)
    assert measured(analysis, given)[-1]["status"] == "not enough data"
    analysis.export(one, analysis.visible())
    last = measured(analysis, given)[-1]
    assert (last["status"], last["overall"]["dataset_drift"]) == ("measured", False)


def test_what_application_insights_did_not_take_is_sent_with_the_next_look(analysis: AnalysisCloud) -> None:
    one = known(analysis, model={"name": "unlucky-model"})
    traffic(analysis, one, 60, age=60)
    connection = "InstrumentationKey=00000000-0000-0000-0000-000000000003;IngestionEndpoint=https://localhost:9/"
    given = context(analysis, one)
    assert measured(analysis, replace(given, insights=Insights(connection))) == []
    assert len(measured(analysis, given)) == 1
    assert len(published(analysis, "unlucky-model")) == 2


JOB = """
type: command
command: "{command}"
environment: azureml:{scope}/environments/e/versions/1
compute: azureml:cpu
"""


def workspace(analysis: AnalysisCloud) -> Workspace:
    settings = analysis.cloud.settings
    return Workspace(settings.subscription_id, settings.resource_group, settings.workspace)


def upload_job(analysis: AnalysisCloud, *, name: str = "train.yml", command: str = "true") -> None:
    where = workspace(analysis)
    group = f"/subscriptions/{where.subscription_id}/resourceGroups/{where.resource_group}"
    scope = f"{group}/providers/Microsoft.MachineLearningServices/workspaces/{where.workspace}"
    analysis.blobs.write("policies", name, JOB.format(scope=scope, command=command).encode())


def test_drift_starts_one_retraining_and_then_cools_down(analysis: AnalysisCloud) -> None:
    upload_job(analysis)
    one = known(analysis, retrain={"job": "train.yml", "after": ["drift"], "cooldown": "1h"})
    traffic(analysis, one, 60, age=60)
    given = context(analysis, one)
    first = measured(analysis, given)[-1]["retrain"]
    assert analysis.jobs.status(workspace(analysis), first["job"]) is not None
    analysis.export(one, analysis.visible())
    second = measured(analysis, given)[-1]["retrain"]
    assert second["job"] is None
    assert "cooling down" in second["reason"]


def test_an_alert_that_is_delivered_three_times_starts_one_job(analysis: AnalysisCloud) -> None:
    upload_job(analysis)
    one = known(analysis, retrain={"job": "train.yml", "after": ["alert"], "cooldown": "1h"})
    where = place(one)
    message = {"policy": where.policy, "target": where.target, "endpoint": where.endpoint, "retrain": "rule-1 at noon"}
    for _ in range(3):
        run(context(analysis, one), message, datetime.now(UTC))
    assert analysis.jobs.status(workspace(analysis), job_name(where, "alert rule-1 at noon")) is not None
    state = analysis.blobs.read("state", f"retrain/{where.path}.json")
    assert state is not None
    assert json.loads(state.data)["started"] is not None


def test_the_same_alert_after_the_cooldown_starts_another_job(analysis: AnalysisCloud) -> None:
    upload_job(analysis)
    one = known(analysis, retrain={"job": "train.yml", "after": ["alert"], "cooldown": "1h"})
    where, now = place(one), datetime.now(UTC)
    message = {"policy": where.policy, "target": where.target, "endpoint": where.endpoint, "retrain": "rule-1"}
    jobs = set()
    for moment in (now, now + timedelta(minutes=59), now + timedelta(minutes=61)):
        run(context(analysis, one), message, moment)
        state = analysis.blobs.read("state", f"retrain/{where.path}.json")
        assert state is not None
        jobs.add(json.loads(state.data)["job"])
    assert len(jobs) == 2
    assert all(analysis.jobs.status(workspace(analysis), job) for job in jobs)


class CountingJobs(Jobs):
    """The real jobs, with a count of the questions."""

    asked = 0

    def status(self, workspace: Workspace, name: str) -> str | None:
        self.asked += 1
        return super().status(workspace, name)


def test_a_training_job_that_fails_is_noted_once_and_the_cooldown_still_holds(
    analysis: AnalysisCloud, caplog: pytest.LogCaptureFixture
) -> None:
    upload_job(analysis, name="fails.yml", command="exit 3")
    one = known(analysis, retrain={"job": "fails.yml", "after": ["alert"], "cooldown": "1h"})
    where, given = place(one), context(analysis, one)
    message = {"policy": where.policy, "target": where.target, "endpoint": where.endpoint, "retrain": "rule-1"}
    run(given, message, datetime.now(UTC))
    job = training(analysis, where)["job"]
    end = monotonic() + 20
    while analysis.jobs.status(workspace(analysis), job) != "Failed":
        assert monotonic() < end, "the job does not fail"
        sleep(0.05)

    jobs = CountingJobs(analysis.models)
    given = replace(given, jobs=jobs)
    for _ in range(3):
        analysis.export(one, analysis.visible())
        measured(analysis, given)
        measured(analysis, given)
    assert (training(analysis, where)["failed"], jobs.asked) == ("Failed", 1)
    assert f"ended as Failed: see the logs of job {job}" in caplog.text
    run(given, {**message, "retrain": "rule-2"}, datetime.now(UTC))
    assert training(analysis, where)["job"] == job


def test_a_training_job_that_has_completed_is_asked_about_no_more(analysis: AnalysisCloud) -> None:
    upload_job(analysis)
    one = known(analysis, retrain={"job": "train.yml", "after": ["alert"], "cooldown": "1h"})
    where, jobs = place(one), CountingJobs(analysis.models)
    given = replace(context(analysis, one), jobs=jobs)
    message = {"policy": where.policy, "target": where.target, "endpoint": where.endpoint, "retrain": "rule-1"}
    run(given, message, datetime.now(UTC))
    end = monotonic() + 20
    while analysis.jobs.status(workspace(analysis), training(analysis, where)["job"]) != "Completed":
        assert monotonic() < end, "the job does not complete"
        sleep(0.05)
    before = jobs.asked
    for _ in range(2):
        analysis.export(one, analysis.visible())
        measured(analysis, given)
    assert (training(analysis, where)["completed"], training(analysis, where)["failed"]) == (True, None)
    assert jobs.asked == before + 1


def training(analysis: AnalysisCloud, where: Place) -> dict[str, Any]:
    state = analysis.blobs.read("state", f"retrain/{where.path}.json")
    assert state is not None
    found: dict[str, Any] = json.loads(state.data)
    return found


def test_a_state_that_is_none_stops_the_retraining_and_no_message(
    analysis: AnalysisCloud, caplog: pytest.LogCaptureFixture
) -> None:
    one = known(analysis, retrain={"job": "train.yml", "after": ["alert"], "cooldown": "1h"})
    where = place(one)
    analysis.blobs.write("state", f"retrain/{where.path}.json", b"[]")
    message = {"policy": where.policy, "target": where.target, "endpoint": where.endpoint, "retrain": "rule-1"}
    run(context(analysis, one), message, datetime.now(UTC))
    assert "says nothing about a retraining" in caplog.text


def test_an_alert_starts_nothing_when_the_policy_retrains_after_drift_only(analysis: AnalysisCloud) -> None:
    upload_job(analysis)
    one = known(analysis, retrain={"job": "train.yml", "after": ["drift"], "cooldown": "1s"})
    where = place(one)
    message = {"policy": where.policy, "target": where.target, "endpoint": where.endpoint, "retrain": "rule-1"}
    run(context(analysis, one), message, datetime.now(UTC))
    assert analysis.blobs.read("state", f"retrain/{where.path}.json") is None


def test_a_job_file_that_is_missing_is_said_and_the_training_starts_once_it_is_there(analysis: AnalysisCloud) -> None:
    one = known(analysis, retrain={"job": "absent.yml", "after": ["alert"], "cooldown": "1h"})
    where, given = place(one), context(analysis, one)
    message = {"policy": where.policy, "target": where.target, "endpoint": where.endpoint, "retrain": "rule-1"}
    run(given, message, datetime.now(UTC))
    state = analysis.blobs.read("state", f"retrain/{where.path}.json")
    assert state is not None
    assert "upload the job's YAML" in json.loads(state.data)["problem"]
    upload_job(analysis)
    stored = analysis.blobs.read("policies", "train.yml")
    assert stored is not None
    analysis.blobs.write("policies", "absent.yml", stored.data)
    run(given, message, datetime.now(UTC))
    assert analysis.jobs.status(workspace(analysis), job_name(where, "alert rule-1")) is not None
