"""KQL that duckdb-kql does not know, said in KQL that it does.

`percentiles(x, 50, 95)` becomes one `percentile` per column with Kusto's column names, and `ingestion_time()` becomes
the hidden column that carries it. Both are rewrites of tokens, so text inside strings is never touched.
"""

from __future__ import annotations

from localcloud.monitor.kql_errors import unsupported
from localcloud.monitor.kql_text import call_end, code, next_code, split, tokens

INGESTION_TIME = "_ingestion_time"


def rewrite(query: str) -> tuple[str, bool]:
    """The query in duckdb-kql's dialect, and whether it reads `ingestion_time()`."""
    items = tokens(query)
    items, reads_ingestion_time = _ingestion_time(items)
    return "".join(_percentiles(items)), reads_ingestion_time


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
