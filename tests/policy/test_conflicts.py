"""An endpoint belongs to one policy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.conflicts import conflicts
from policy.load import load
from policy.match import places
from policy.model import Policy
from tests.policy.texts import edited


def policy(name: str, model: str, endpoint: str, workspace: str = "ml-prod") -> Policy:
    text = edited(
        ("name: credit\n", f"name: {name}\n"),
        ("name: credit-card", f'name: "{model}"'),
        ("endpoint: credit", f'endpoint: "{endpoint}"'),
        ("ml-prod", workspace),
    )
    return load(text, f"{name}.yaml")


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        (("churn", "credit"), ("credit", "credit"), True),
        (("churn", "Credit"), ("credit", "credit"), True),
        (("churn", "churn"), ("credit", "credit"), False),
        (("sales-*", "{model}"), ("credit", "credit"), False),
        (("sales-*", "{model}"), ("credit", "sales-fr"), True),
        (("sales-*", "{model}"), ("*-fr", "{model}"), True),
        (("sales-*", "a-{model}"), ("*-fr", "b-{model}"), False),
        (("sales-??", "{model}"), ("sales-fr", "{model}"), True),
        (("sales-?", "{model}"), ("sales-fr", "{model}"), False),
        (("sales_*", "{model}"), ("sales-fr", "{model}"), True),
    ],
)
def test_two_policies_meet_where_some_endpoint_could_be_both_ones(
    one: tuple[str, str], other: tuple[str, str], meet: bool
) -> None:
    first, second = policy("first", *one), policy("second", *other)
    assert bool(conflicts([first, second])) is meet
    assert bool(conflicts([second, first])) is meet


def test_the_same_endpoint_name_in_another_workspace_is_another_endpoint() -> None:
    assert conflicts([policy("first", "a1", "credit"), policy("second", "b1", "credit", workspace="ml-test")]) == ()


def test_two_policies_cannot_have_one_name() -> None:
    (conflict,) = conflicts([policy("same", "a1", "one"), policy("same", "b1", "two")])
    assert conflict.message == "two policies have the name 'same'"


letters = st.text("ab*?", min_size=1, max_size=6)


@given(letters, letters, st.text("ab", min_size=1, max_size=8))
def test_policies_that_share_a_place_are_always_told(one: str, other: str, model: str) -> None:
    first, second = policy("first", one, "e-{model}"), policy("second", other, "e-{model}")
    if places(first, model) and places(second, model):
        assert conflicts([first, second])
