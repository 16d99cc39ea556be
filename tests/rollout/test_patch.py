"""The changes between two JSON objects, and back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.patch import Json, applied, difference

names = st.sampled_from("abc")
values = st.recursive(
    st.none() | st.integers() | st.text(max_size=2) | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(names, inner, max_size=3),
)
objects = st.dictionaries(names, values, max_size=3)


@given(objects, objects)
def test_the_patch_between_two_objects_makes_the_one_of_the_other(before: Json, after: Json) -> None:
    assert applied(before, json.loads(json.dumps(difference(before, after)))) == after


@given(objects)
def test_equal_objects_have_an_empty_patch(one: Json) -> None:
    assert difference(one, one) == {}


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({"a": "b", "c": 1}, {"a": "c", "c": 1}, {"a": "c"}),
        ({"a": "b", "b": "c"}, {"b": "c"}, {"-": ["a"]}),
        ({"a": "b"}, {"a": None}, {"a": None}),
        ({"a": {"b": "c", "d": 1}}, {"a": {"b": "d"}}, {"a": {"b": "d", "-": ["d"]}}),
        ({"a": [{"b": "c"}]}, {"a": [{"b": "d"}]}, {"a": [{"b": "d"}]}),
        ({"a": "c"}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ],
)
def test_a_patch_tells_what_differs_and_what_is_gone(before: Json, after: Json, patch: Json) -> None:
    assert difference(before, after) == patch
