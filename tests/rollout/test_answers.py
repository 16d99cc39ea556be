"""Answers to smoke requests: what passes, what is told of what does not, and how little of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policy.model import Expect
from rollout.answers import EXCERPT, MISSING, differs, problem

SECRET = "Jane Doe, 4 Elm Street, IBAN DE02120300000000202051, and much more that is nobody's business " * 9
TOLERANCE = 0.1


def said(expect: Expect, body: Any, *, value: Any = MISSING, status: int = 200) -> str:
    text = body if isinstance(body, str) else json.dumps(body)
    return problem(expect, value, status, text, tolerance=TOLERANCE)


@pytest.mark.parametrize(
    ("expect", "status", "body", "wrong"),
    [
        (Expect(), 200, {"predictions": [1]}, ""),
        (Expect(), 200, "no json", "expected JSON, came no json"),
        (Expect(), 424, "oops", "expected status 200, came 424: oops"),
        (Expect(status=424), 424, "oops", ""),
        (Expect(status=424), 200, {"predictions": [1]}, 'expected status 424, came 200: {"predictions": [1]}'),
        (Expect(status=201), 201, "created", "expected JSON, came created"),
        (Expect(schema={"type": "object", "required": ["predictions"]}), 200, {"predictions": []}, ""),
        (
            Expect(schema={"type": "object", "required": ["predictions"]}),
            200,
            {"scores": [1]},
            'at $: expected required ["predictions"], came {"scores": [1]}',
        ),
        (
            Expect(schema={"properties": {"predictions": {"items": {"type": "number", "maximum": 1}}}}),
            200,
            {"predictions": [0.2, 7]},
            "at $.predictions[1]: expected maximum 1, came 7",
        ),
        (
            Expect(schema={"$ref": "https://example.com/answers.json"}),
            200,
            {},
            "`expect.schema` refers to https://example.com/answers.json, which is not in it",
        ),
    ],
)
def test_status_and_shape_are_as_expected_or_what_was_expected_and_what_came_is_told(
    expect: Expect, status: int, body: Any, wrong: str
) -> None:
    found = said(expect, body, status=status)
    assert found.startswith(wrong) if wrong else not found


@pytest.mark.parametrize(
    ("expected", "actual", "wrong"),
    [
        ({"predictions": [0.5]}, {"predictions": [0.55], "version": "2"}, ""),
        ({"predictions": [0.5]}, {"predictions": [0.61]}, "at $.predictions[0]: expected 0.5, came 0.61"),
        ([100], [109], ""),
        ([100], [111], "at $[0]: expected 100, came 111"),
        ([1], [1.05], ""),
        ([True], [1], "at $[0]: expected true, came 1"),
        ([1], [True], "at $[0]: expected 1, came true"),
        (["a"], ["b"], "at $[0]: expected a, came b"),
        ([None], [None], ""),
        ([None], [0], "at $[0]: expected null, came 0"),
        ([1, 2], [1], "at $: expected 2 items, came 1"),
        ({"a": 1}, {"b": 1}, "at $.a: expected 1, came nothing"),
        ([1], [float("nan")], "at $[0]: expected 1, came NaN"),
        ([1], {"0": 1}, 'at $: expected [1], came {"0": 1}'),
    ],
)
def test_values_are_the_expected_ones_within_the_tolerance(expected: Any, actual: Any, wrong: str) -> None:
    assert differs(expected, actual, TOLERANCE) == wrong


@pytest.mark.parametrize(
    ("expect", "body", "value", "status"),
    [
        (Expect(), SECRET, MISSING, 424),
        (Expect(), SECRET, MISSING, 200),
        (Expect(schema={"type": "array"}), {"who": SECRET}, MISSING, 200),
        (Expect(schema={"const": 1}), {"who": SECRET}, MISSING, 200),
        (Expect(schema={"additionalProperties": False}), {SECRET: SECRET}, MISSING, 200),
        (Expect(), {"who": SECRET}, {"who": "nobody"}, 200),
    ],
)
def test_of_an_answer_only_a_short_piece_is_told(expect: Expect, body: Any, value: Any, status: int) -> None:
    found = said(expect, body, value=value, status=status)
    assert found
    assert len(found) < EXCERPT + 120
    assert SECRET[: EXCERPT + 10] not in found
