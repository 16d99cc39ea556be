"""`row_number`, `prev`, `next`, `row_cumsum`, `row_rank_dense` in extend, serialize, project and where.

Calls are computed from the inside out, so that a restart condition may itself use `prev`. The rows must be in an order
("serialized"), as in Kusto; offsets and start values are literals here, and a cumulative sum over a null is refused,
because it is not documented what it gives.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

from localcloud.monitor.kql_errors import semantic, unsupported
from localcloud.monitor.kql_stages import Stage, Workshop, operator_name, quote
from localcloud.monitor.kql_text import call_end, code, next_code, split

_FUNCTIONS = frozenset(["row_number", "prev", "next", "row_cumsum", "row_rank_dense"])
_OPERATORS = frozenset(["extend", "serialize", "project", "where", "filter"])
_HIDDEN = "_window_"


def stage(operator: list[str], ordered: bool) -> Stage | None:
    """The stage of an operator that calls window functions or only says `serialize`; None for another one."""
    name = operator_name(operator)
    used = _calls(operator)
    if not used:
        return _serialize(operator) if name == "serialize" else None
    if name not in _OPERATORS:
        raise unsupported(f"{operator[used[-1]]}() in {name}")
    if not ordered and name != "serialize":
        function = operator[used[-1]]
        raise semantic(f"Function '{function}' cannot be invoked in current context: the row set must be serialized")
    if name not in ("where", "filter"):
        _insist_on_names(operator)
    return lambda work, left: _run(work, left, operator, name)


def _serialize(operator: list[str]) -> Stage:
    items = _without_name(operator)
    return lambda _, left: f"{left} | extend {items}" if items.strip() else left


def _without_name(operator: list[str]) -> str:
    return "".join(operator[next_code(operator, 0) + 1 :])


def _calls(operator: list[str]) -> list[int]:
    """Where window functions are called; the last one has none in its arguments."""
    found = []
    for index, token in enumerate(operator):
        opening = next_code(operator, index + 1)
        if token in _FUNCTIONS and operator[opening : opening + 1] == ["("]:
            found.append(index)
    return found


def _insist_on_names(operator: list[str]) -> None:
    for item in split(operator[next_code(operator, 0) + 1 :], ","):
        if _calls(item) and code(item)[1:2] != ["="]:
            raise unsupported(f"{''.join(item).strip()} without a name for its column")


def _run(work: Workshop, left: str, operator: list[str], name: str) -> str:
    hidden: list[str] = []
    names = (f"{_HIDDEN}{number}" for number in itertools.count())
    while used := _calls(operator):
        start = used[-1]
        opening = next_code(operator, start + 1)
        end = call_end(operator, opening)
        arguments = ["".join(part).strip() for part in split(operator[opening + 1 : end], ",")]
        hidden.append(next(names))
        left = _computed(work, left, operator[start], [one for one in arguments if one], hidden[-1])
        operator = [*operator[:start], hidden[-1], *operator[end + 1 :]]
    shown = "extend" if name == "serialize" else name
    rest = f"{left} | {shown}{_without_name(operator)}"
    return rest if name == "project" else f"{rest} | project-away {', '.join(hidden)}"


def _computed(work: Workshop, left: str, function: str, arguments: list[str], name: str) -> str:
    """A table that has the function's value as a column `name`."""
    helpers = {f"{name}_{number}": argument for number, argument in enumerate(arguments)}
    extend = ", ".join(f"{helper} = ({argument})" for helper, argument in helpers.items())
    source = work.keep(f"{left} | extend {extend}" if helpers else left)
    types = {helper: work.columns(source)[helper] for helper in helpers}
    value, restart = _SQL[function](arguments, types)
    restarted = f"coalesce({restart}, false)::INTEGER" if restart else "0"
    if function == "row_cumsum" and _has_nulls(work, source, next(iter(types))):
        raise unsupported("row_cumsum() over a null")
    kept = ", ".join(quote(column) for column in work.columns(source) if column not in helpers)
    rows = f"SELECT *, rowid AS _row FROM {quote(source)}"
    parts = f"SELECT *, sum({restarted}) OVER (ORDER BY _row) AS _part FROM ({rows})"
    changes = f"SELECT *, {_changed(types)} AS _changed FROM ({parts})"
    return work.make(f"SELECT {kept}, {value} AS {quote(name)} FROM ({changes}) ORDER BY _row")


def _changed(types: Mapping[str, str]) -> str:
    if not types:
        return "true"
    first = quote(next(iter(types)))
    before = "OVER (PARTITION BY _part ORDER BY _row)"
    return f"(row_number() {before} = 1 OR {first} IS DISTINCT FROM lag({first}) {before})"


def _has_nulls(work: Workshop, source: str, column: str) -> bool:
    query = f"SELECT count(*) FROM {quote(source)} WHERE {quote(column)} IS NULL"
    return bool(work.connection.execute(query).fetchall()[0][0])


_IN_PART = "OVER (PARTITION BY _part ORDER BY _row ROWS UNBOUNDED PRECEDING)"
Written = tuple[str, str | None]
"""SQL of the value, and of the condition that starts a new part."""


def _row_number(arguments: list[str], types: Mapping[str, str]) -> Written:
    _at_most(arguments, 2, "row_number")
    start = _literal(arguments[0], "row_number") if arguments else 1
    return f"row_number() {_IN_PART} - 1 + {start}", _restart(types, 1)


def _neighbour(function: str, offset_from: str) -> Callable[[list[str], Mapping[str, str]], Written]:
    def written(arguments: list[str], types: Mapping[str, str]) -> Written:
        _at_most(arguments, 3, offset_from)
        offset = _literal(arguments[1], offset_from) if len(arguments) > 1 else 1
        value, kind = next(iter(types.items()))
        near = f"{function}({{}}, {offset}) OVER (ORDER BY _row)"
        default = "''" if kind == "VARCHAR" else "NULL"  # a Kusto string is never null
        if len(arguments) > 2:
            default = quote(list(types)[2])
        found = near.format(quote(value))
        return f"CASE WHEN {near.format('true')} THEN {found} ELSE CAST({default} AS {kind}) END", None

    return written


def _row_cumsum(arguments: list[str], types: Mapping[str, str]) -> Written:
    _at_most(arguments, 2, "row_cumsum")
    value, kind = next(iter(types.items()))
    return f"CAST(sum({quote(value)}) {_IN_PART} AS {kind})", _restart(types, 1)


def _row_rank_dense(arguments: list[str], types: Mapping[str, str]) -> Written:
    _at_most(arguments, 2, "row_rank_dense")
    return f"CAST(sum(_changed::INTEGER) {_IN_PART} AS BIGINT)", _restart(types, 1)


_SQL: Mapping[str, Callable[[list[str], Mapping[str, str]], Written]] = {
    "row_number": _row_number,
    "prev": _neighbour("lag", "prev"),
    "next": _neighbour("lead", "next"),
    "row_cumsum": _row_cumsum,
    "row_rank_dense": _row_rank_dense,
}


def _restart(types: Mapping[str, str], position: int) -> str | None:
    return quote(list(types)[position]) if len(types) > position else None


def _literal(text: str, function: str) -> int:
    if not text.isdecimal():
        raise unsupported(f"{function}() with {text!r} where only a whole number is taken here")
    return int(text)


def _at_most(arguments: list[str], most: int, function: str) -> None:
    if len(arguments) > most or (not arguments and function != "row_number"):
        raise semantic(f"{function}(): wrong number of arguments")
