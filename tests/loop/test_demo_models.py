"""The demo's rows, its versions and its scoring script do what the stories tell of them."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from scipy import stats

from demo import data
from demo.data import Data
from demo.jobs.train import train
from demo.models.versions import STORE, Trained, answers, train_all
from demo.schema import CATEGORICAL, FEATURES, NUMERIC, TARGET

DEMO = Path(data.__file__).parent
TOLERANCE = 0.1
"""What the demo's policy lets two answers differ by (the default of gates.agreement.tolerance)."""


@pytest.fixture(scope="module")
def rows() -> Data:
    return data.load(None)


@pytest.fixture(scope="module")
def trained(rows: Data, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Trained]:
    return train_all(rows, tmp_path_factory.mktemp("models"))


def agreement(one: Any, other: Any, frame: pd.DataFrame) -> float:
    asked = data.rows(frame)
    pairs = zip(answers(one, asked), answers(other, asked), strict=True)
    return sum(abs(a - b) <= TOLERANCE for a, b in pairs) / len(asked)


def drifted_share(recent: pd.DataFrame, baseline: pd.DataFrame) -> float:
    found = [stats.ks_2samp(baseline[name], recent[name]).pvalue < 0.05 for name in NUMERIC]
    for name in CATEGORICAL:
        table = pd.concat([baseline[name].value_counts(), recent[name].value_counts()], axis=1).fillna(0)
        found.append(stats.chi2_contingency(table).pvalue < 0.05)
    return sum(map(bool, found)) / len(found)


# Data


def test_no_row_is_both_trained_on_and_sent_as_traffic(rows: Data) -> None:
    indices = [set(frame.index) for frame in (rows.training, rows.holdout, rows.traffic)]
    assert not indices[0] & indices[1]
    assert not indices[0] & indices[2]
    assert not indices[1] & indices[2]


def test_rows_are_what_a_request_can_hold(rows: Data) -> None:
    row = data.rows(rows.traffic)[0]
    assert set(row) == set(FEATURES)
    assert json.loads(json.dumps(row)) == row


@pytest.mark.parametrize("size", [60, 200, 900])
def test_ordinary_traffic_has_not_drifted_and_drifted_traffic_has_in_most_features(rows: Data, size: int) -> None:
    ordinary = rows.traffic.sample(size, random_state=3)
    assert drifted_share(ordinary, rows.reference) < 0.4
    assert drifted_share(data.drifted(ordinary), rows.reference) > 0.7


def test_a_csv_without_the_columns_is_refused_with_their_names(tmp_path: Path) -> None:
    file = tmp_path / "other.csv"
    file.write_text("age,sex\n30,female\n")
    with pytest.raises(data.DataRefused, match="credit_limit"):
        data.load(file)


def test_a_csv_with_the_columns_is_used(tmp_path: Path) -> None:
    file = tmp_path / "real.csv"
    data.synthetic(10_000, seed=1).to_csv(file, index=False)
    loaded = data.load(file)
    assert "10,000 real rows" in loaded.origin
    assert len(loaded.training) == 5000


# Versions


def test_version_2_is_better_than_version_1_and_gives_nearly_the_same_answers(
    rows: Data, trained: Mapping[str, Trained]
) -> None:
    assert trained["2"].skill > trained["1"].skill
    assert agreement(trained["1"].model, trained["2"].model, rows.traffic) >= 0.97


def test_version_3_answers_differently(rows: Data, trained: Mapping[str, Trained]) -> None:
    assert agreement(trained["2"].model, trained["3"].model, rows.traffic) < 0.2


def test_version_4_answers_as_version_2_does(rows: Data, trained: Mapping[str, Trained]) -> None:
    assert agreement(trained["2"].model, trained["4"].model, rows.traffic) == 1.0


def test_the_training_job_learns_from_exported_rows_and_agrees_with_the_live_version_on_drifted_traffic(
    rows: Data, trained: Mapping[str, Trained], tmp_path: Path
) -> None:
    recent = data.drifted(rows.traffic).head(600)
    predictions = answers(trained["2"].model, data.rows(recent))
    exported = recent.drop(columns=[TARGET]).assign(
        time="2026-11-21T04:00:00Z", deployment="live", request_id="one", row=0, prediction=predictions
    )
    shadow = exported.head(100).assign(deployment="bad", prediction=[1 - chance for chance in predictions[:100]])
    exported = pd.concat([exported, shadow])
    window = tmp_path / "inference" / "live" / "date=2026-11-21" / "hour=04"
    window.mkdir(parents=True)
    exported.to_parquet(window / "window.parquet", index=False)
    (window / "window.summary").write_text("{}")
    rows.training.to_parquet(tmp_path / "training.parquet", index=False)

    inputs = ["--baseline", str(tmp_path / "training.parquet"), "--inference", str(tmp_path / "inference")]
    train.main([*inputs, "--model", str(tmp_path / "model")])

    notes = json.loads((tmp_path / "model" / "meta.json").read_text())
    assert notes["recent_rows"] == 600
    import joblib

    made = joblib.load(tmp_path / "model" / "model.joblib")
    assert agreement(trained["2"].model, made, data.drifted(rows.traffic)) >= 0.97


def test_the_training_job_says_what_is_missing_when_nothing_was_exported(tmp_path: Path, rows: Data) -> None:
    rows.training.head(50).to_parquet(tmp_path / "training.parquet", index=False)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match="has the export run"):
        train.main(
            [f"--baseline={tmp_path}/training.parquet", f"--inference={tmp_path}/empty", f"--model={tmp_path}/m"]
        )


# The scoring script


@pytest.fixture
def score(monkeypatch: pytest.MonkeyPatch, trained: Mapping[str, Trained], tmp_path: Path) -> Iterator[Any]:
    def serve(version: str) -> ModuleType:
        folder = tmp_path / "credit-card-default" / version
        folder.mkdir(parents=True)
        shutil.copytree(trained[version].folder, folder / f"version-{version}")
        monkeypatch.setenv("AZUREML_MODEL_DIR", str(folder))
        specification = importlib.util.spec_from_file_location("score_under_test", DEMO / "code" / "score.py")
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        module.init()
        return module

    return serve  # type: ignore[return-value]


def test_a_request_is_answered_and_logged_under_azures_request_id(
    score: Callable[[str], Any], rows: Data, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    asked = data.rows(rows.traffic)[:2]
    answer = score("2").run(json.dumps({"data": asked}), {"X-Request-Id": "abc"})
    lines = [json.loads(record.message) for record in caplog.records]
    assert len(answer["predictions"]) == 2
    assert [line["type"] for line in lines] == ["InitializeService", "InputData", "OutputData"]
    assert {line["service_name"] for line in lines} == {"online/credit-card-default/2"}
    assert {line["request_id"] for line in lines[1:]} == {"abc"}
    assert json.loads(lines[1]["data"]) == asked
    assert lines[2]["data"] == answer["predictions"]


@pytest.mark.parametrize(("requests_per_second", "waits"), [(9, False), (27, True)])
def test_version_4_waits_for_its_store_at_a_canarys_rate_and_not_at_a_shadows(
    score: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, requests_per_second: int, waits: bool
) -> None:
    module = score("4")
    waited: list[float] = []
    clock = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(module.time, "sleep", waited.append)
    for _ in range(requests_per_second * 10):
        clock[0] += 1 / requests_per_second
        module._ask_store()
    assert bool(waited) is waits
    assert set(waited) <= {STORE["wait_seconds"]}
