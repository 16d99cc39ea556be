"""Operators that duckdb-kql does not have, run between what it translates to the left and to the right of them.

The left side is run first and kept as a temporary table in its order; a stage makes a second table of it with SQL, and
the rest of the query reads that one. Each stage takes only the forms whose meaning is documented; what it does not take
is refused, because a wrong answer is worse than none. Stages work at the top level of a statement, not in brackets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from localcloud.monitor.kql_text import code

if TYPE_CHECKING:
    import duckdb


class Workshop(Protocol):
    """What a stage may use of the query that it is a part of."""

    connection: duckdb.DuckDBPyConnection

    def keep(self, query: str) -> str:
        """Run KQL and keep its rows, in their order, as a temporary table; its name."""

    def make(self, select: str) -> str:
        """Keep the rows of an SQL SELECT as a temporary table; its name."""

    def columns(self, table: str) -> dict[str, str]:
        """The columns of a temporary table: name -> DuckDB type."""


Stage = Callable[[Workshop, str], str]
"""From the KQL to the left of the operator to the KQL that stands for it and the operator together."""

_ORDERS = frozenset(["sort", "order", "top", "serialize", "getschema", "range", "print", "datatable"])
_PROJECTS = frozenset(["project", "project-away", "project-keep", "project-rename", "project-reorder"])
_KEEPS_ORDER = _PROJECTS.union(
    ["as", "extend", "filter", "invoke", "limit", "mv-apply", "mv-expand", "parse", "parse-where", "take", "where"]
)


def operator_name(operator: Sequence[str]) -> str:
    """`where`, `project-away`: the first word with what is hyphenated to it."""
    words = code(operator)
    name = words[0] if words else ""
    for hyphen, word in zip(words[1::2], words[2::2], strict=False):
        if hyphen != "-" or name not in ("project", "mv", "make", "parse", "top", "sample"):
            break
        name = f"{name}-{word}"
    return name


def is_ordered(pipeline: Sequence[Sequence[str]], source_is: bool = False) -> bool:
    """Whether the rows have an order after these operators, as Kusto sees it ("serialized")."""
    ordered = source_is
    for position, operator in enumerate(pipeline):
        name = operator_name(operator)
        ordered = name in _ORDERS or (ordered and (position == 0 or name in _KEEPS_ORDER))
    return ordered


def quote(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
