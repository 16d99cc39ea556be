"""What people may ask for: every field that cannot be read, and every refusal with its reason."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from rollout.bad_input import BadInput
from rollout.commands import Command, note, parse, refusal
from rollout.phases import TERMINAL, Flag, Phase
from rollout.record import Record
from tests.rollout.world import OLD, standing

FLYING = [phase for phase in Phase if phase not in TERMINAL]


def body(**fields: Any) -> str:
    return json.dumps({"id": "c-1", "reason": "because", **fields})


def test_a_command_is_read() -> None:
    assert parse("rollback", body(record=7)) == Command("rollback", "c-1", "because", 7)
    assert parse("start", body(model_version=3)) == Command("start", "c-1", "because", None, "3")
    assert parse("start", body(model_version="3")).version == "3"


@pytest.mark.parametrize(
    ("action", "raw", "field"),
    [
        ("delete", body(), "action"),
        ("pause", "no json", "body"),
        ("pause", "[]", "body"),
        ("pause", body(force=True), "force"),
        ("pause", body(id=""), "id"),
        ("pause", body(id=5), "id"),
        ("pause", body(id="x" * 129), "id"),
        ("pause", body(reason=" "), "reason"),
        ("pause", body(reason="x" * 2001), "reason"),
        ("pause", json.dumps({"id": "c-1"}), "reason"),
        ("pause", body(record="7"), "record"),
        ("pause", body(record=True), "record"),
        ("start", body(model_version=True), "model_version"),
        ("start", body(model_version=[1]), "model_version"),
        ("start", body(model_version=""), "model_version"),
        ("pause", body(model_version="3"), "model_version"),
    ],
)
def test_what_cannot_be_read_names_its_field(action: str, raw: str, field: str) -> None:
    with pytest.raises(BadInput) as wrong:
        parse(action, raw)

    assert wrong.value.field == field


def asked(record: Record | None, action: str, *, saw: int | None = None) -> str | None:
    return refusal(record, Command(action, "c-1", "because", saw))


def test_a_command_from_somebody_who_saw_an_older_record_is_refused() -> None:
    record = standing(Phase.CANARY, writes=12)

    assert asked(record, "pause", saw=12) is None
    assert asked(record, "pause", saw=11) == "the rollout has moved on: it is at record 12, you saw 11"


@pytest.mark.parametrize("phase", FLYING)
def test_a_rollout_that_is_paused_or_held_may_be_resumed_and_is_not_paused_twice(phase: Phase) -> None:
    paused = standing(phase, flags=frozenset({Flag.PAUSED}))
    held = standing(phase, holds=frozenset({"a-1"}))

    assert asked(paused, "resume") is None
    assert asked(held, "resume") is None
    assert asked(paused, "pause") == "the rollout is paused already"


@pytest.mark.parametrize("phase", FLYING)
def test_a_rollout_in_flight_may_be_retried_when_it_is_held_or_azure_refused(phase: Phase) -> None:
    assert asked(standing(phase, flags=frozenset({Flag.HELD})), "retry") is None
    assert asked(standing(phase, refused="quota"), "retry") is None


def test_a_first_version_that_is_done_has_nothing_to_go_back_to() -> None:
    first = replace(standing(Phase.DONE), live=None)

    assert asked(first, "rollback") == "this is the first version: there is nothing to go back to"


def test_what_was_deleted_when_it_retired_is_no_way_back_and_the_refusal_says_what_is() -> None:
    retired = standing(Phase.DONE, retired=True)

    assert asked(retired, "rollback") == (
        f"deployment {OLD} was deleted when it retired; `start` an earlier version instead"
    )
    assert asked(retired, "start") is None


def test_an_approval_is_not_skipped_by_advance_and_the_refusal_says_what_to_use() -> None:
    assert asked(standing(Phase.AWAITING_APPROVAL), "advance") == "the step waits for a person: use `approve`"


def test_who_names_a_version_is_told_that_nobody_has_looked_yet_whether_there_is_one() -> None:
    assert note(None, Command("start", "c-1", "because", None, "99")).startswith("version 99 is looked up at the next")
    assert note(None, Command("start", "c-1", "because")) == ""
