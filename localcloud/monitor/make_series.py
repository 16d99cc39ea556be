"""`make-series`: one array per group, a value for every step from `from` to before `to`.

Both bounds are needed here, because what Kusto takes without them differs from group to group. Bins start at `from`;
a bin without rows has the aggregation's `default`, which is 0; no rows at all give no series.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from localcloud.monitor.kql_errors import semantic, unsupported
from localcloud.monitor.kql_stages import Stage, Workshop, operator_name, quote
from localcloud.monitor.kql_text import code, split
from localcloud.monitor.timespans import stamp

_BIN = "_bin"
_MOST_BINS = 1_048_576
"""Kusto's own limit on the length of a series."""


@dataclass(frozen=True)
class MakeSeries:
    """The operator, cut into its parts; all of them KQL."""

    aggregations: list[str]
    defaults: list[str]
    axis: str
    start: str
    end: str
    step: str
    by: str


def stage(operator: list[str], _: bool) -> Stage | None:
    """The stage of a make-series; None for another operator."""
    if operator_name(operator) != "make-series":
        return None
    call = _parse(operator)
    return lambda work, left: _run(work, left, call)


def _parse(operator: list[str]) -> MakeSeries:
    parts: dict[str, list[str]] = {"": []}
    current, depth = "", 0
    for token in operator[operator.index("series") + 1 :]:
        depth += (token in "([{") - (token in ")]}")
        if depth == 0 and token in ("on", "from", "to", "step", "by", "in", "kind"):
            current = token
            parts[current] = []
        else:
            parts[current].append(token)
    if "kind" in parts or "in" in parts or not parts.keys() >= {"on", "from", "to", "step"}:
        raise unsupported("make-series in another form than `... on Axis from A to B step S [by ...]`")
    text = {name: "".join(tokens).strip() for name, tokens in parts.items()}
    if not text["on"].isidentifier():
        raise unsupported("make-series on anything but a column")
    aggregations, defaults = zip(*(_aggregation(item) for item in split(parts[""], ",")), strict=True)
    by = text.get("by", "")
    return MakeSeries([*aggregations], [*defaults], text["on"], text["from"], text["to"], text["step"], by)


def _aggregation(item: list[str]) -> tuple[str, str]:
    """`n = count() default = 1` as the aggregation and the default."""
    if "default" not in item:
        return "".join(item).strip(), "0"
    cut = item.index("default")
    return "".join(item[:cut]).strip(), "".join(code(item[cut + 1 :])[1:])


def _run(work: Workshop, left: str, call: MakeSeries) -> str:
    start, end, step, *defaults = _values(work, [call.start, call.end, call.step, *call.defaults])
    try:
        count = max(0, math.ceil((end - start) / step))
    except (TypeError, ZeroDivisionError):
        raise semantic("'make-series' operator: from, to and step do not fit together") from None
    if count > _MOST_BINS:
        raise unsupported(f"make-series with {count} steps")
    position = f"tolong(floor(({call.axis} - ({call.start})) / ({call.step}), 1))"
    binned = work.keep(
        f"{left} | where {call.axis} >= ({call.start}) and {call.axis} < ({call.end}) | extend {_BIN} = {position} "
        f"| summarize {', '.join(call.aggregations)} by {f'{call.by}, ' if call.by else ''}{_BIN}"
    )
    columns = list(work.columns(binned))
    groups, values = columns[: columns.index(_BIN)], columns[columns.index(_BIN) + 1 :]
    axis = json.dumps([_text(start + number * step) for number in range(count)], separators=(",", ":"))
    keys = ", ".join(quote(name) for name in groups)
    series = [
        f"to_json(list(coalesce({quote(name)}, {_default(default)}) ORDER BY _step)) AS {quote(name)}"
        for name, default in zip(values, defaults, strict=True)
    ]
    shown = ", ".join([*([keys] if keys else []), *series, f"'{axis}'::JSON AS {quote(call.axis)}"])
    grid = f"(SELECT DISTINCT {keys or '1 AS _all'} FROM {quote(binned)}) g CROSS JOIN range({count}) s(_step)"
    same = "".join(f" AND g.{quote(name)} IS NOT DISTINCT FROM b.{quote(name)}" for name in groups)
    own = ", ".join(["s._step", *(f"g.{quote(name)}" for name in groups), *(f"b.{quote(name)}" for name in values)])
    whole = f"SELECT {own} FROM {grid} LEFT JOIN {quote(binned)} b ON b.{_BIN} = s._step{same}"
    grouped = f"GROUP BY {keys} ORDER BY {keys}" if keys else "HAVING count(*) > 0"
    return work.make(f"SELECT {shown} FROM ({whole}) {grouped}")


def _values(work: Workshop, expressions: list[str]) -> list[Any]:
    table = work.keep("print " + ", ".join(f"v{number} = ({text})" for number, text in enumerate(expressions)))
    return list(work.connection.execute(f"SELECT * FROM {quote(table)}").fetchall()[0])


def _text(value: Any) -> Any:
    """One point of the axis as JSON."""
    if isinstance(value, datetime):
        return stamp(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, timedelta):
        raise unsupported("make-series on a timespan")
    return value


def _default(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        raise unsupported("make-series with a default that is no number")
    return "NULL" if value is None or (isinstance(value, float) and math.isnan(value)) else repr(value)
