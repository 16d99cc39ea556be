"""KQL that duckdb-kql does not know, said in KQL that it does.

`percentiles(x, 50, 95)` becomes one `percentile` per column with Kusto's column names, `ingestion_time()` becomes the
hidden column that carries it, `extract(..., typeof(int))` a cast, and `unixtime_seconds_todatetime(x)` a sum. All are
rewrites of tokens, so text inside strings is never touched.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from localcloud.monitor.kql_errors import unsupported
from localcloud.monitor.kql_text import call_end, code, next_code, split, tokens

INGESTION_TIME = "_ingestion_time"
_CASTS = {
    "string": "tostring",
    "int": "toint",
    "long": "tolong",
    "real": "toreal",
    "double": "todouble",
    "bool": "tobool",
    "datetime": "todatetime",
    "timespan": "totimespan",
}
_UNIX_TIMES = {
    "unixtime_seconds_todatetime": "1s",
    "unixtime_milliseconds_todatetime": "1ms",
    "unixtime_microseconds_todatetime": "1microsecond",
}


def rewrite(query: str) -> tuple[str, bool]:
    """The query in duckdb-kql's dialect, and whether it reads `ingestion_time()`."""
    items = tokens(query)
    items, reads_ingestion_time = _ingestion_time(items)
    items = _calls(items, "extract", _extract)
    for function, unit in _UNIX_TIMES.items():
        items = _calls(items, function, partial(_since_1970, unit))
    return "".join(_percentiles(items)), reads_ingestion_time


def _calls(items: list[str], function: str, rewritten: Callable[[list[str]], str | None]) -> list[str]:
    """The tokens with every call of a function said in another way, the innermost call first."""
    for index in range(len(items) - 1, -1, -1):
        opening = next_code(items, index + 1)
        if items[index] == function and items[opening : opening + 1] == ["("]:
            closing = call_end(items, opening)
            arguments = ["".join(part).strip() for part in split(items[opening + 1 : closing], ",")]
            if (text := rewritten(arguments)) is not None:
                items = [*items[:index], *tokens(text), *items[closing + 1 :]]
    return items


def _extract(arguments: list[str]) -> str | None:
    """`extract(pattern, group, text, typeof(int))` is `toint(extract(pattern, group, text))`."""
    if len(arguments) != 4:
        return None
    kind = "".join(code(tokens(arguments[3])))
    cast = _CASTS.get(kind.removeprefix("typeof(").removesuffix(")"))
    if cast is None:
        raise unsupported(f"extract() to {arguments[3]}")
    return f"{cast}(extract({', '.join(arguments[:3])}))"


def _since_1970(unit: str, arguments: list[str]) -> str:
    return f"(datetime(1970-01-01) + ({', '.join(arguments)}) * {unit})"


def _ingestion_time(items: list[str]) -> tuple[list[str], bool]:
    result: list[str] = []
    index, found = 0, False
    while index < len(items):
        opening = next_code(items, index + 1)
        closing = next_code(items, opening + 1)
        if items[index] == "ingestion_time" and items[opening : opening + 1] == ["("] and items[closing] == ")":
            result.append(INGESTION_TIME)
            index, found = closing + 1, True
        else:
            result.append(items[index])
            index += 1
    return result, found


def _percentiles(items: list[str]) -> list[str]:
    result: list[str] = []
    index = 0
    while index < len(items):
        opening = next_code(items, index + 1)
        if items[index] != "percentiles" or items[opening : opening + 1] != ["("]:
            result.append(items[index])
            index += 1
            continue
        closing = call_end(items, opening)
        arguments = ["".join(code(part)) for part in split(items[opening + 1 : closing], ",")]
        names = _given_names(result) or [_column_name(arguments[0], rank) for rank in arguments[1:]]
        if len(names) != len(arguments) - 1:
            raise unsupported("percentiles() with another number of names than ranks")
        calls = (f"{name}=percentile({arguments[0]}, {rank})" for name, rank in zip(names, arguments[1:], strict=True))
        result.append(", ".join(calls))
        index = closing + 1
    return result


def _given_names(before: list[str]) -> list[str]:
    """The names of `(a, b) = percentiles(...)`, taken off the end of what was already written."""
    written = code(before)
    if written[-1:] != ["="]:
        return []
    if written[-2:-1] != [")"]:
        raise unsupported("percentiles() with a single name: write (a, b) = percentiles(x, 50, 95)")
    start = len(before) - 1 - before[::-1].index("(")
    names = ["".join(code(part)) for part in split(before[start + 1 : len(before) - 1 - before[::-1].index(")")], ",")]
    del before[start:]
    return names


def _column_name(expression: str, rank: str) -> str:
    column = expression if expression.isidentifier() else ""
    return f"percentile_{column}_{rank.replace('.', '_')}"
