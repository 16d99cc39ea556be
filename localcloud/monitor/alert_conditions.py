"""What an alert rule sees at one moment: a value for every combination of dimension values, and whether it is over.

Windows are in Azure's minutes, so they shrink with `minute_seconds`; times written inside a log rule's own query
(`ago(5m)`) are real and do not. Blocking: call it in a thread.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from localcloud.monitor import kql
from localcloud.monitor.aggregations import aggregate, single
from localcloud.monitor.alert_rules import Criterion, Rule
from localcloud.monitor.kql_errors import NoRowsYet, semantic
from localcloud.monitor.metric_filter import Filter
from localcloud.monitor.metric_values import MetricValues
from localcloud.monitor.store import TableStore

_LIMITS = kql.Limits(rows=100_000)


@dataclass(frozen=True)
class Measured:
    """One criterion's value for one combination."""

    dimensions: Mapping[str, str]
    value: float
    met: bool


@dataclass(frozen=True)
class Observation:
    """One combination across all criteria."""

    key: tuple[tuple[str, str], ...]
    measured: tuple[Measured, ...]
    target: str | None = None
    """Lower-case ARM id, when the combination itself names the target."""

    @property
    def met(self) -> bool:
        """All criteria are over their thresholds."""
        return all(one.met for one in self.measured)


@dataclass(frozen=True)
class Evaluation:
    """One look of one rule."""

    start: datetime
    end: datetime
    observations: tuple[Observation, ...]


class AlertConditions:
    """Evaluates rules over the rows and metrics of this cloud."""

    def __init__(self, store: TableStore, metrics: MetricValues, mirrored_traffic: bool) -> None:
        self._store, self._metrics, self._mirrored_traffic = store, metrics, mirrored_traffic

    def evaluate(self, rule: Rule) -> Evaluation:
        """What the rule sees now; QueryRefused when its query cannot be answered."""
        return self._logs(rule) if rule.of_logs else self._metric(rule)

    def check(self, rule: Rule) -> None:
        """QueryRefused when a log rule's query, or a column that the rule names, is not there."""
        if not rule.validated:
            return
        try:
            columns = {name for name, _ in self._answer(rule)[1].columns}
        except NoRowsYet:
            return
        line = rule.criteria[0]
        for name in (*line.dimensions, line.measure, line.resource_column):
            if name and name not in columns:
                raise semantic(f"The query's result has no column named '{name}'")

    def _metric(self, rule: Rule) -> Evaluation:
        end = self._metrics.open_grain()
        first = end - max(1, round(rule.window / timedelta(minutes=1)))
        per_criterion = [list(self._metric_values(rule.scopes[0], line, first, end)) for line in rule.criteria]
        combinations = itertools.product(*per_criterion)
        observations = tuple(_combined(parts) for parts in combinations if _agree(parts))
        start, stop = (datetime.fromtimestamp(grain * self._metrics.grain, UTC) for grain in (first, end))
        return Evaluation(start, stop, observations)

    def _metric_values(self, scope: str, line: Criterion, first: int, end: int) -> Iterator[Measured]:
        assert line.metric is not None
        for series in self._metrics.series(scope, line.metric, Filter(line.dimensions), first, end):
            value = series.whole(line.aggregation)
            yield Measured(series.dimensions, value, line.met(value))

    def _logs(self, rule: Rule) -> Evaluation:
        (start, end), answer = self._answer(rule)
        names = [name for name, _ in answer.columns]
        rows = [dict(zip(names, row, strict=True)) for row in answer.rows]
        return Evaluation(start, end, tuple(_log_observations(rule.criteria[0], rows)))

    def _answer(self, rule: Rule) -> tuple[tuple[datetime, datetime], kql.Answer]:
        """The window of a log rule, and what its query answers for it."""
        end = self._store.clock()
        window = end - rule.window * (self._metrics.grain / 60), end
        scope = kql.Scope(window, _resource_scope(rule.scopes[0]), self._mirrored_traffic)
        return window, kql.run(self._store, rule.criteria[0].query, scope, _LIMITS)


def _agree(parts: tuple[Measured, ...]) -> bool:
    """Whether a dimension that several criteria split by has one value in all of them."""
    pairs = {item for part in parts for item in part.dimensions.items()}
    return len(pairs) == len({name for name, _ in pairs})


def _combined(parts: tuple[Measured, ...]) -> Observation:
    key = tuple(sorted({item for part in parts for item in part.dimensions.items()}))
    return Observation(key, parts)


def _log_observations(line: Criterion, rows: list[dict[str, Any]]) -> Iterator[Observation]:
    groups: dict[tuple[tuple[str, str], ...], list[dict[str, Any]]] = defaultdict(list)
    if not line.dimensions and not line.measure:
        groups[()] = []  # no rows at all is a count of zero, which a rule may be about
    for row in rows:
        values = {name: _text(row.get(name)) for name in line.dimensions}
        if all(kept.keeps(values[name]) for name, kept in line.dimensions.items()):
            groups[tuple(sorted(values.items()))].append(row)
    for key, members in groups.items():
        numbers = [_number(row.get(line.measure)) for row in members] if line.measure else []
        known = [single(number) for number in numbers if number is not None]
        if line.measure and not known:
            continue
        value = aggregate(line.aggregation, known) if line.measure else float(len(members))
        yield Observation(key, (Measured(dict(key), value, line.met(value)),), _target(line, key, members))


def _target(line: Criterion, key: tuple[tuple[str, str], ...], rows: list[dict[str, Any]]) -> str | None:
    by_dimension = {name.lower(): value for name, value in key}.get("_resourceid")
    by_column = _text(rows[0].get(line.resource_column)) if line.resource_column and rows else ""
    return (by_dimension or by_column or "").lower() or None


def _resource_scope(scope: str) -> str | None:
    lower = scope.lower().rstrip("/")
    return None if "/providers/microsoft.operationalinsights/workspaces/" in lower else lower


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
