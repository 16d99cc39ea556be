"""Dataclasses as JSON: the same value always gives the same JSON, and comes back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import pytest

from rollout.codec import OUTSIDE, decoded, encoded
from tests.rollout.world import NOW


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Write:
    name: str


@dataclass(frozen=True)
class Wipe:
    name: str
    after: timedelta = timedelta(minutes=1)


@dataclass(frozen=True)
class Everything:
    when: datetime
    colours: frozenset[Colour]
    shares: Mapping[str, int]
    deeds: tuple[Write | Wipe, ...]
    pair: tuple[dict[str, int], str] | None = None
    last: Wipe | None = None
    bound: float | str | None = None
    written: int = field(default=0, metadata={OUTSIDE: "record"})


WHOLE = Everything(
    NOW, frozenset(Colour), {"b": 1, "a": 2}, (Write("x"), Wipe("x")), ({"a": 1}, "z"), Wipe("y", timedelta()), 0.5, 3
)
BARE = Everything(NOW, frozenset(), {}, ())


@pytest.mark.parametrize("value", [WHOLE, BARE])
@pytest.mark.parametrize("whole", [True, False])
def test_a_value_comes_back_as_it_was(value: Everything, whole: bool) -> None:
    assert decoded(Everything, json.loads(json.dumps(encoded(value, whole=whole)))) == value


def test_the_json_is_the_fields_in_order_with_sets_and_keys_sorted_and_unions_named() -> None:
    assert json.dumps(encoded(WHOLE)) == (
        '{"when": "2026-05-04T12:00:00.000000Z", "colours": ["red"], "shares": {"a": 2, "b": 1},'
        ' "deeds": [{"type": "Write", "name": "x"}, {"type": "Wipe", "name": "x", "after": 60.0}],'
        ' "pair": [{"a": 1}, "z"], "last": {"name": "y", "after": 0.0}, "bound": 0.5, "record": 3}'
    )
    many = frozenset(f"alert-{number}" for number in range(50))
    assert encoded(Names(many))["names"] == sorted(many)


@dataclass(frozen=True)
class Names:
    names: frozenset[str]


def test_what_has_its_default_can_be_left_out() -> None:
    assert set(encoded(BARE, whole=False)) == {"when", "colours", "shares", "deeds"}


def test_what_an_older_build_did_not_write_has_its_default_and_what_a_newer_one_wrote_is_passed_over() -> None:
    assert decoded(Wipe, {"name": "x", "of_next_year": {"deep": 1}}) == Wipe("x")


def test_what_must_be_there_and_is_not_is_named() -> None:
    with pytest.raises(KeyError, match="name"):
        decoded(Wipe, {"after": 1.0})


@dataclass(frozen=True)
class Unkeepable:
    anything: set[Any]


@dataclass(frozen=True)
class Mixed:
    either: Write | Colour


@dataclass(frozen=True)
class Unread:
    bound: float | None = 0.5


def test_none_is_told_apart_from_a_default_that_was_left_out() -> None:
    assert encoded(Unread(), whole=False) == {}
    assert encoded(Unread(None), whole=False) == {"bound": None}
    assert decoded(Unread, {"bound": None}) == Unread(None)


@pytest.mark.parametrize("kind", [Unkeepable, Mixed])
def test_a_type_that_json_cannot_keep_is_a_mistake_seen_at_once(kind: type) -> None:
    with pytest.raises(TypeError, match="cannot be kept as JSON"):
        decoded(kind, {"anything": [], "either": "red"})
