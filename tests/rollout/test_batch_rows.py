"""Outputs of batch jobs are paired row by row, whatever order their mini batches ended in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.batch_rows import Compared, compare

MLFLOW = ["0,0.10,a.csv", "1,0.20,a.csv", "0,0.30,b.csv"]


def test_an_mlflow_models_rows_are_paired_by_row_and_file_in_any_order() -> None:
    other = ["0,0.30,b.csv", "1,0.21,a.csv", "0,0.90,a.csv"]
    assert compare(MLFLOW, other, 0.1) == Compared(rows=3, missing=0, pairs=3, agreed=2)


def test_a_row_that_the_candidate_does_not_have_is_missing_and_pairs_with_nothing() -> None:
    assert compare(MLFLOW, MLFLOW[:2], 0.1) == Compared(rows=3, missing=1, pairs=2, agreed=2)


def test_no_rows_at_all_are_all_missing() -> None:
    assert compare(MLFLOW, [], 0.1) == Compared(rows=3, missing=3, pairs=0, agreed=0)


def test_a_row_that_only_the_candidate_has_agrees_with_nothing() -> None:
    assert compare(MLFLOW, [*MLFLOW, "7,0.10,a.csv"], 0.1) == Compared(rows=3, missing=0, pairs=4, agreed=3)


def test_a_second_answer_to_the_same_row_agrees_with_nothing() -> None:
    assert compare(MLFLOW, [*MLFLOW, MLFLOW[0]], 0.1) == Compared(rows=3, missing=0, pairs=4, agreed=3)


def test_a_scripts_rows_are_paired_by_the_column_that_finds_them_again_not_by_the_prediction() -> None:
    live = ["cat.png 0.9131", "dog.png 0.1042", "owl.png 0.5503"]
    other = ["owl.png 0.5504", "cat.png 0.9130", "dog.png 0.1041"]
    assert compare(live, other, 0.01) == Compared(rows=3, missing=0, pairs=3, agreed=3)


def test_rows_without_names_are_paired_by_place() -> None:
    assert compare(["0.1", "0.2"], ["0.1", "0.9"], 0.1) == Compared(rows=2, missing=0, pairs=2, agreed=1)
    assert compare(["cat 0.91", "cat 0.92"], ["cat 0.93", "dog 0.95"], 0.1).agreed == 1


@pytest.mark.parametrize(
    ("live", "other", "same"),
    [
        ("100", "109", True),
        ("100", "111", False),
        ("0.01", "0.1", True),
        ("good", "good", True),
        ("good", "bad", False),
        ("1", "nan", False),
        ("nan", "nan", True),
        ("1", "1,2", False),
    ],
)
def test_numbers_agree_within_the_tolerance_and_texts_when_they_are_equal(live: str, other: str, same: bool) -> None:
    found = compare([f"a,{live},f"], [f"a,{other},f"], 0.1)
    assert (found.agreed == 1) is same


@given(st.lists(st.integers(0, 10**6), unique=True, min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_an_output_agrees_with_itself_in_any_order(numbers: list[int], random: object) -> None:
    live = [f"{number},{number / 7},{number % 3}.csv" for number in numbers]
    shuffled = list(live)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert compare(live, shuffled, 0.0) == Compared(len(live), 0, len(live), len(live))


@given(st.lists(st.text("ab,1. ", max_size=6), max_size=12), st.lists(st.text("ab,1. ", max_size=6), max_size=12))
def test_whatever_the_outputs_hold_the_counts_add_up(live: list[str], other: list[str]) -> None:
    found = compare(live, other, 0.1)
    assert 0 <= found.missing <= found.rows
    assert 0 <= found.agreed <= found.rows - found.missing <= found.pairs
