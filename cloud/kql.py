"""Queries kept as `.kql` files, with values put in as typed literals.

Values never meet the query's text: they become `let name = <literal>;` lines in front of it, escaped by their type, so
a name that somebody chose cannot change what a query does. The file stays a plain query that Kusto's own tools read.
Literals: learn.microsoft.com/kusto/query/scalar-data-types.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

Value = str | int | float | bool | datetime | timedelta | Sequence[str]

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_INVISIBLE = {"Cc", "Cs", "Zl", "Zp"}
"""Control characters, lone surrogates and line separators: legal in no KQL string."""
_LONG_MIN, _LONG_MAX = -(2**63), 2**63 - 1


def render(query_file: Path, **values: Value) -> str:
    """The text of a `.kql` file behind one `let` line for each value."""
    return behind(_text(query_file), **values)


def behind(query: str, **values: Value) -> str:
    """A query that somebody wrote, behind the same lines."""
    lines = [f"let {_identifier(name)} = {literal(value)};" for name, value in values.items()]
    return "\n".join([*lines, query])


def literal(value: Value) -> str:
    """One KQL literal of the type that belongs to the Python type; ValueError for what has none."""
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not _LONG_MIN <= value <= _LONG_MAX:
            raise ValueError(f"{value} does not fit a KQL long")
        return f"long({value})"
    if isinstance(value, float):
        return _real(value)
    if isinstance(value, datetime):
        return f"datetime({_instant(value)})"
    if isinstance(value, timedelta):
        return f"timespan({_span(value)})"
    return f"dynamic([{', '.join(_string(_text_only(item)) for item in value)}])"


def _identifier(name: str) -> str:
    if not _IDENTIFIER.fullmatch(name):
        raise ValueError(f"{name!r} is no KQL identifier")
    return name


def _string(value: str) -> str:
    return '"' + "".join(_ESCAPES.get(char) or _visible(char) for char in value) + '"'


def _visible(char: str) -> str:
    return f"\\u{ord(char):04x}" if unicodedata.category(char) in _INVISIBLE else char


def _real(value: float) -> str:
    if math.isnan(value):
        return "real(nan)"
    if math.isinf(value):
        return "real(+inf)" if value > 0 else "real(-inf)"
    return f"real({value!r})"


def _instant(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone; every time in Understudy is UTC and aware")
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _span(value: timedelta) -> str:
    sign, size = ("-", -value) if value < timedelta(0) else ("", value)
    hours, rest = divmod(size.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{sign}{size.days}.{hours:02}:{minutes:02}:{seconds:02}.{size.microseconds:06}"


def _text_only(item: object) -> str:
    if not isinstance(item, str):
        raise ValueError(f"a KQL list takes text only, not {item!r}")
    return item


@lru_cache(maxsize=64)
def _text(query_file: Path) -> str:
    return query_file.read_text(encoding="utf-8")
