"""Advanced filters of event subscriptions: all of them must hold; of one filter's values any one is enough.

Negative operators (`NumberNotIn`, `StringNotContains` and the like) hold when none of their values does, and also for
a key that the event does not have. Text is compared without regard to case. Members of an array are compared only where
the subscription enables it (`enableAdvancedFilteringOnArrays`), as on Azure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localcloud.seams import Json

_MOST_FILTERS, _MOST_VALUES = 25, 25

_TEXT: dict[str, Callable[[str, str], bool]] = {
    "StringIn": lambda given, wanted: given == wanted,
    "StringBeginsWith": lambda given, wanted: given.startswith(wanted),
    "StringEndsWith": lambda given, wanted: given.endswith(wanted),
    "StringContains": lambda given, wanted: wanted in given,
}
_NUMBER: dict[str, Callable[[float, float], bool]] = {
    "NumberIn": lambda given, wanted: given == wanted,
    "NumberLessThan": lambda given, wanted: given < wanted,
    "NumberLessThanOrEquals": lambda given, wanted: given <= wanted,
    "NumberGreaterThan": lambda given, wanted: given > wanted,
    "NumberGreaterThanOrEquals": lambda given, wanted: given >= wanted,
}
_PRESENCE = ("IsNullOrUndefined", "IsNotNull")
_NEGATIONS = {
    "StringNotIn": "StringIn",
    "StringNotBeginsWith": "StringBeginsWith",
    "StringNotEndsWith": "StringEndsWith",
    "StringNotContains": "StringContains",
    "NumberNotIn": "NumberIn",
    "NumberNotInRange": "NumberInRange",
}
_OPERATORS = (*_TEXT, *_NUMBER, "NumberInRange", "BoolEquals", *_PRESENCE, *_NEGATIONS)


@dataclass(frozen=True)
class AdvancedFilter:
    """One condition on one key of the event, as it is delivered in its schema."""

    operator: str
    key: str
    values: tuple[Any, ...]

    def holds(self, event: Json, *, arrays: bool) -> bool:
        """Whether the event passes."""
        found = _look_up(event, self.key)
        if self.operator in _PRESENCE:
            return (found is None) == (self.operator == "IsNullOrUndefined")
        members = found if isinstance(found, list) and arrays else [found]
        positive = _NEGATIONS.get(self.operator, self.operator)
        matched = any(_compare(positive, member, value) for member in members for value in self.values)
        return matched != (self.operator in _NEGATIONS)

    def render(self) -> Json:
        """As Azure shows it."""
        shown: Json = {"operatorType": self.operator, "key": self.key}
        if self.operator in _PRESENCE:
            return shown
        single = self.operator == "BoolEquals" or (self.operator in _NUMBER and self.operator != "NumberIn")
        return shown | ({"value": self.values[0]} if single else {"values": list(self.values)})


def read(given: list[Json]) -> tuple[AdvancedFilter, ...]:
    """The filters of a subscription's body; ValueError says what is wrong with them."""
    filters = tuple(_one(line) for line in given)
    if len(filters) > _MOST_FILTERS or sum(len(one.values) for one in filters) > _MOST_VALUES:
        raise ValueError(f"advancedFilters: at most {_MOST_FILTERS} filters with {_MOST_VALUES} values in all")
    return filters


def _one(line: Json) -> AdvancedFilter:
    spelling = {name.lower(): name for name in _OPERATORS}
    operator = spelling.get(str(line["operatorType"]).lower())
    if operator is None:
        raise ValueError(f"advancedFilters: operatorType {line['operatorType']} is not known")
    values = line["values"] if "values" in line else [line["value"]] if "value" in line else []
    if not values and operator not in _PRESENCE:
        raise ValueError(f"advancedFilters: {operator} on {line['key']} has no values")
    if operator.endswith("InRange") and not all(isinstance(one, list) and len(one) == 2 for one in values):
        raise ValueError(f"advancedFilters: {operator} needs pairs of numbers")
    hashable = tuple(tuple(one) if isinstance(one, list) else one for one in values)
    return AdvancedFilter(operator, str(line["key"]), hashable)


def _look_up(event: Json, key: str) -> Any:
    """A key with dots goes into `data`; names of the envelope are found whatever their case."""
    value: Any = event
    for depth, name in enumerate(key.split(".")):
        if not isinstance(value, dict):
            return None
        names = {known.lower(): known for known in value} if depth == 0 else {}
        value = value.get(names.get(name.lower(), name))
    return value


def _compare(operator: str, given: Any, wanted: Any) -> bool:
    if operator == "BoolEquals":
        return isinstance(given, bool) and given is bool(wanted)
    if operator in _TEXT:
        return isinstance(given, str) and _TEXT[operator](given.lower(), str(wanted).lower())
    if isinstance(given, bool) or not isinstance(given, int | float):
        return False
    if operator == "NumberInRange":
        return float(wanted[0]) <= given <= float(wanted[1])
    return _NUMBER[operator](given, float(wanted))
