"""Console lines become records whatever the logger put in front; what is no record is said to be none, never lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.lines import Line, Record, Unreadable, parse

TIME = datetime(2026, 11, 21, 12, tzinfo=UTC)
OLD = "2026-11-21 12:00:00,123 | root | INFO | 42 | 8a6c | "
NEW = "2026-11-21 12:00:00,123 I [42] azmlinfsrv.user_script - "


def line(message: str) -> Line:
    return Line(TIME, TIME, "blue", "instance-1", message)


def record(**fields: Any) -> Record:
    return parse(line(NEW + json.dumps({"service_name": "online/m/1", "request_id": "r1", **fields})))


@pytest.mark.parametrize("prefix", [OLD, NEW, "", "a { brace and another { before "])
def test_both_formats_of_the_inference_server_are_read(prefix: str) -> None:
    body = {"type": "InputData", "service_name": "online/m/1", "request_id": "r1", "data": json.dumps([{"age": 30}])}
    found = parse(line(prefix + json.dumps(body) + "\n"))
    assert (found.kind, found.request_id, found.service, found.values) == (
        "InputData",
        "r1",
        "online/m/1",
        ({"age": 30},),
    )


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_a_feature_may_hold_any_text(text: str) -> None:
    assert record(type="InputData", data=json.dumps([{"x": text}])).values == ({"x": text},)


def test_rows_may_be_given_as_a_list_and_predictions_inside_the_whole_answer() -> None:
    assert record(type="InputData", data=[{"a": 1}]).values == ({"a": 1},)
    assert record(type="InputData", data=[[1, 2]]).values == ({"feature_0": 1, "feature_1": 2},)
    assert record(type="OutputData", data={"predictions": [0.5]}).values == (0.5,)
    assert record(type="OutputData", data=[0.1, 0.2]).values == (0.1, 0.2)


def test_a_line_may_be_one_part_of_many_and_a_part_alone_is_the_scripts_own_word() -> None:
    found = record(type="OutputData", data=[0.1], part=2, parts=3)
    assert (found.part, found.parts) == (2, 3)
    assert (record(type="OutputData", data=[0.1], part="engine").parts) == 1


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (NEW + '{"type": "InputData", "request_id": "r1", "data": "[{\\"a\\": 1', "whole JSON"),
        (NEW + '{"type": "InputData", "request_id": "r1", "data": []} and more', "whole JSON"),
        ("InputData without any object", "whole JSON"),
        (NEW + '{"type": "InitializeService", "note": "InputData"}', "type is"),
        (NEW + '{"type": "InputData", "data": []}', "request_id"),
        (NEW + '{"type": "InputData", "request_id": "r1", "data": "[{"}', "no JSON"),
        (NEW + '{"type": "InputData", "request_id": "r1", "data": [1]}', "list of rows"),
        (NEW + '{"type": "OutputData", "request_id": "r1", "data": 3}', "list of predictions"),
        (NEW + '{"type": "InputData", "request_id": "r1", "data": [], "part": 3, "parts": 2}', "which part"),
        (NEW + '{"type": "InputData", "request_id": "r1", "data": [], "part": true, "parts": 1}', "which part"),
        (NEW + "[" * 100_000 + '{"InputData": 1', "whole JSON"),
    ],
)
def test_a_line_that_is_no_record_is_refused_with_the_reason(message: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        parse(line(message))
