"""Frozen dataclasses as JSON and back, by their type hints: what is kept of a rollout is written down once, as types.

A field that an older build did not write has its default, one that this build does not know is passed over; so a new
field with a default needs no other edit. The same value always gives the same JSON: fields in the order of the class,
sets and keys sorted. A field's name outside may differ (`field(metadata={OUTSIDE: "history"})`); of a union's classes
each says its name under `type`. Anything else in a type hint is a mistake of ours and raises TypeError at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

OUTSIDE = "outside"
"""Key of a field's metadata: the field's name in JSON."""
TYPE = "type"
"""Where a union has several dataclasses: the JSON key that says which one it is."""
PLAIN = (str, int, float, bool, NoneType, Any)

T = TypeVar("T")


@dataclass(frozen=True)
class _Form:
    """How one type is written and read."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


@dataclass(frozen=True)
class _Field:
    """One field of a dataclass: its name here and outside, its form, and its default if it has one."""

    name: str
    outside: str
    form: _Form
    default: Any


_KNOWN: dict[Any, tuple[_Field, ...]] = {}


def encoded(value: Any, *, whole: bool = True) -> dict[str, Any]:
    """A dataclass as JSON values; not `whole`: without the fields that have their default."""
    return {
        one.outside: one.form.write(found)
        for one in _fields(type(value))
        for found in [getattr(value, one.name)]
        if whole or found != one.default
    }


def decoded(kind: type[T], raw: Mapping[str, Any]) -> T:
    """The reverse of `encoded`. KeyError names a field that must be there and is not."""
    found = _fields(kind)
    for one in found:
        if one.default is MISSING and one.outside not in raw:
            raise KeyError(one.outside)
    return kind(**{one.name: one.form.read(raw[one.outside]) for one in found if one.outside in raw})


def stamp(at: datetime) -> str:
    """RFC 3339 in UTC with Z, to the microsecond: nothing that Python knows of a time is lost on the way to a blob."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """The reverse of `stamp`; takes any RFC 3339 time, also with seven digits of a second."""
    head, dot, tail = text.replace("Z", "+00:00").partition(".")
    if dot:
        digits = "".join(c for c in tail[: len(tail) - 6] if c.isdigit())[:6]
        return datetime.fromisoformat(f"{head}.{digits}{tail[-6:]}").astimezone(UTC)
    return datetime.fromisoformat(head).astimezone(UTC)


def _fields(kind: Any) -> tuple[_Field, ...]:
    """The fields of a dataclass; its type hints are read once."""
    if kind not in _KNOWN:
        hints = get_type_hints(kind)
        _KNOWN[kind] = tuple(
            _Field(one.name, one.metadata.get(OUTSIDE, one.name), _form(hints[one.name]), _default(one))
            for one in fields(kind)
        )
    return _KNOWN[kind]


def _default(one: Any) -> Any:
    return one.default if one.default_factory is MISSING else one.default_factory()


def _form(hint: Any) -> _Form:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in PLAIN:
        return _Form(_same, _same)
    if hint is datetime:
        return _Form(stamp, moment)
    if hint is timedelta:
        return _Form(timedelta.total_seconds, lambda raw: timedelta(seconds=raw))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _Form(lambda value: value.value, hint)
    if is_dataclass(hint):
        kind: Any = hint
        return _Form(_written, lambda raw: decoded(kind, raw))
    if origin in (Union, UnionType):
        return _union(arguments)
    if origin is tuple:
        return _tuple(arguments)
    if origin is frozenset:
        each = _form(arguments[0])
        return _Form(lambda v: sorted(each.write(x) for x in v), lambda raw: frozenset(each.read(x) for x in raw))
    if isinstance(origin, type) and issubclass(origin, Mapping) and arguments[0] is str:
        each = _form(arguments[1])
        return _Form(
            lambda value: {key: each.write(value[key]) for key in sorted(value)},
            lambda raw: {key: each.read(raw[key]) for key in sorted(raw)},
        )
    raise TypeError(f"a field of type {hint} cannot be kept as JSON")


def _tuple(arguments: tuple[Any, ...]) -> _Form:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        each = _form(arguments[0])
        return _Form(lambda value: [each.write(x) for x in value], lambda raw: tuple(each.read(x) for x in raw))
    forms = [_form(argument) for argument in arguments]
    return _Form(
        lambda value: [form.write(x) for form, x in zip(forms, value, strict=True)],
        lambda raw: tuple(form.read(x) for form, x in zip(forms, raw, strict=True)),
    )


def _union(arguments: tuple[Any, ...]) -> _Form:
    """`X | None`, a union of plain types, or a union of dataclasses that say which one they are."""
    kinds = [argument for argument in arguments if argument is not NoneType]
    if all(kind in PLAIN for kind in kinds):
        return _Form(_same, _same)
    if len(kinds) == 1:
        form = _form(kinds[0])
        return _Form(
            lambda value: None if value is None else form.write(value),
            lambda raw: None if raw is None else form.read(raw),
        )
    if not all(is_dataclass(kind) for kind in kinds):
        raise TypeError(f"a union of {kinds} cannot be kept as JSON")
    named = {kind.__name__: kind for kind in kinds}
    return _Form(
        lambda value: None if value is None else {TYPE: type(value).__name__, **encoded(value)},
        lambda raw: None if raw is None else decoded(named[raw[TYPE]], raw),
    )


def _written(value: Any) -> dict[str, Any]:
    return encoded(value)


def _same(value: Any) -> Any:
    return value
