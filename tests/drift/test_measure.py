"""What is published are Evidently's own numbers, as JSON can hold them."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cloud.insights import LONGEST_MESSAGE
from drift.frames import Kind, comparable
from drift.measure import FeatureDrift, Measured, measure
from drift.messages import messages

KINDS: dict[str, Kind] = {"age": "numerical", "limit": "numerical", "sex": "categorical", "grade": "categorical"}


def frame(rows: int, seed: int, *, shift: float = 0.0) -> pd.DataFrame:
    chance = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": chance.normal(40 + 10 * shift, 8, rows),
            "limit": chance.lognormal(10 + shift, 1, rows),
            "sex": chance.choice(["f", "m"], rows, p=[0.6, 0.4]),
            "grade": chance.choice(list("abcde"), rows, p=[0.2] * 5 if not shift else [0.6, 0.1, 0.1, 0.1, 0.1]),
        }
    )


def evidentlys_own(reference: pd.DataFrame, current: pd.DataFrame) -> dict[str, Any]:
    """Evidently as anybody would call it by hand."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    definition = DataDefinition(numerical_columns=["age", "limit"], categorical_columns=["sex", "grade"])
    one, two = (Dataset.from_pandas(data, data_definition=definition) for data in (current, reference))
    values = Report([DataDriftPreset()]).run(one, two).dict()["metrics"]
    scores = {each["config"]["column"]: each["value"] for each in values if "column" in each["config"]}
    return {"scores": scores, **values[0]["value"]}


@pytest.mark.parametrize("rows", [400, 3000])  # Evidently takes other tests from 1000 rows on
@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_published_numbers_are_evidentlys_own(rows: int, shift: float) -> None:
    reference, current = frame(rows, 1), frame(500, 2, shift=shift)
    measured = measure(comparable(reference, current, KINDS), 0.5)
    own = evidentlys_own(reference, current)
    assert measured is not None
    first, second = messages("credit-default", measured)
    assert first["data"] == {
        "n_features": 4,
        "n_drifted_features": own["count"],
        "share_drifted_features": own["share"],
        "dataset_drift": own["share"] >= 0.5,
    }
    assert {one["feature_name"]: one["drift_score"] for one in second["data"]} == own["scores"]
    assert sum(one["drift_detected"] for one in second["data"]) == own["count"]


def test_messages_have_the_shape_that_the_example_scenario_reads() -> None:
    measured = measure(comparable(frame(200, 1), frame(200, 2, shift=1), KINDS), 0.5)
    assert measured is not None
    first, second = json.loads(json.dumps(list(messages("credit-default", measured)), allow_nan=False))
    assert (first["model_name"], first["type"]) == ("credit-default", "OverallDriftMetrics")
    assert (second["model_name"], second["type"]) == ("credit-default", "FeatureDriftMetrics")
    assert second["data"][0] == {
        "feature_name": "age",
        "drift_score": pytest.approx(0, abs=1e-9),
        "drift_detected": True,
        "feature_type": "num",
        "stattest_name": "K-S p_value",
    }


def test_an_empty_column_costs_its_own_measure_and_no_other() -> None:
    current = frame(200, 2).assign(limit=math.nan)
    measured = measure(comparable(frame(200, 1), current, KINDS), 0.5)
    assert measured is not None
    assert [one.name for one in measured.features] == ["age", "grade", "sex"]
    assert measured.skipped == {"limit": "no value in the window"}


def test_one_infinite_value_is_no_drift() -> None:
    current = frame(200, 2)
    current.loc[0, "age"] = math.inf
    measured = measure(comparable(frame(200, 1), current, KINDS), 0.5)
    assert measured is not None
    assert [one.drifted for one in measured.features if one.name == "age"] == [False]
    assert measured.drifted == sum(one.drifted for one in measured.features)


def test_nothing_in_common_is_not_measured() -> None:
    assert measure(comparable(frame(60, 1)[["age"]], frame(60, 1)[["sex"]], {}), 0.5) is None


def test_a_thousand_features_are_sent_in_messages_that_are_whole() -> None:
    features = tuple(FeatureDrift(f"feature_{n:04}", None, False, "num", "K-S p_value", 0.05) for n in range(1000))
    sent = list(messages("m", Measured(features, 0, 0.0, False, {}, None)))
    assert len(sent) > 2
    assert all(len(json.dumps(one)) <= LONGEST_MESSAGE for one in sent)
    assert [one["feature_name"] for part in sent[1:] for one in part["data"]] == [one.name for one in features]
