"""Two tables are compared over the columns that both have; every other column keeps its reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from drift.frames import Comparable, Kind, comparable


def compared(reference: Mapping[str, Any], current: Mapping[str, Any], **kinds: Kind) -> Comparable:
    return comparable(pd.DataFrame(dict(reference)), pd.DataFrame(dict(current)), kinds)


def test_numbers_are_numerical_and_the_rest_categorical_unless_the_policy_says_otherwise() -> None:
    data = {"age": [1.0, 2.0], "sex": ["f", "f"], "code": [1, 2], "flag": [True, True]}
    assert compared(data, data, code="categorical").kinds == {
        "age": "numerical",
        "sex": "categorical",
        "code": "categorical",
        "flag": "categorical",
    }


def test_one_code_has_one_spelling_on_both_sides() -> None:
    frames = compared({"code": [1, 2]}, {"code": ["1", "2"]}, code="categorical")
    assert frames.reference["code"].tolist() == frames.current["code"].tolist() == ["1", "2"]
    frames = compared({"code": [1.0, None]}, {"code": [True, False]}, code="categorical")
    assert frames.reference["code"].dropna().tolist() == ["1"]
    assert frames.current["code"].tolist() == ["true", "false"]


def test_columns_that_cannot_be_compared_are_named_with_the_reason() -> None:
    reference = {"a": [1.0], "only_here": [1], "empty": [None], "id": ["x"], "words": [1.0], "gone": [1.0]}
    current = {"a": [2.0], "empty": [1.0], "id": ["y"], "words": ["x"], "gone": [None]}
    frames = compared(reference, current, wished="numerical", words="numerical")
    assert list(frames.kinds) == ["a"]
    assert frames.skipped == {
        "only_here": "not in the window",
        "wished": "not in the baseline nor in the window",
        "empty": "no value in the baseline",
        "gone": "no value in the window",
        "words": "no value in the window that is a number",
        "id": "nearly every value is another one, like an id or free text; name its kind to measure it",
    }


def test_columns_that_the_export_adds_are_no_features_but_the_prediction_is() -> None:
    own = {"time": ["t"], "deployment": ["blue"], "service": ["s"], "request_id": ["r"], "row": [0]}
    assert list(compared({**own, "prediction": [0.1]}, {**own, "prediction": [0.2]}).kinds) == ["prediction"]


def test_infinity_counts_as_missing_and_text_among_numbers_too() -> None:
    frames = compared({"a": [1.0, float("inf")]}, {"a": ["2", "none"]}, a="numerical")
    assert frames.reference["a"].notna().tolist() == [True, False]
    assert frames.current["a"].notna().tolist() == [True, False]
