"""One query at work: the views it sees, and its statements, translated by duckdb-kql or run by the stages.

A statement is cut at its top-level pipes. The first operator that a stage takes is run with everything to its left, and
the statement goes on from the table that it left behind, until duckdb-kql can translate the rest.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from localcloud.monitor import bag_unpack, make_series, mv_apply, project_columns, window_functions
from localcloud.monitor.kql_errors import semantic, syntax
from localcloud.monitor.kql_rewrite import INGESTION_TIME
from localcloud.monitor.kql_stages import Stage, is_ordered, quote
from localcloud.monitor.kql_text import code, split, tokens
from localcloud.monitor.schema import CLASSIC_NAMES
from localcloud.monitor.store import TableStore

if TYPE_CHECKING:
    import duckdb

_STAGES = (bag_unpack.stage, window_functions.stage, project_columns.stage, make_series.stage, mv_apply.stage)


@dataclass(frozen=True)
class Scope:
    """What a query may see."""

    timespan: tuple[datetime, datetime] | None = None
    resource_id: str | None = None
    """Lower-case ARM id: only its rows and those below it; None for the whole workspace."""
    mirrored_traffic: bool = True
    """Whether mirrored requests stand in the traffic log."""
    classic_names: bool = False
    """Whether `traces`, `customMetrics`, `customEvents` exist, as in the scope of an Application Insights component."""


class Session:
    """One query's connection, its views, and the temporary tables made on the way."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, store: TableStore) -> None:
        self.connection = connection
        self._now, self._tables = store.clock(), store.readable()
        self._columns: dict[str, list[str]] = {}
        self._names = (f"_kept_{number}" for number in itertools.count())
        self._lets: list[str] = []
        self._ordered_lets: set[str] = set()

    def make_views(self, scope: Scope, reads_ingestion_time: bool) -> None:
        """A view per table that shows what the scope allows at this moment."""
        for table, columns in self._tables.items():
            shown = [*columns, *([INGESTION_TIME] if reads_ingestion_time else [])]
            condition = " AND ".join(self._conditions(table, scope))
            fields = ", ".join(f'"{name}"' for name in shown)
            self.connection.execute(
                f'CREATE TEMP VIEW "{table}" AS SELECT {fields} FROM rows."{table}" WHERE {condition}'
            )
            self._columns[table] = shown
        for name, (table, renamed) in CLASSIC_NAMES.items() if scope.classic_names else ():
            fields = ", ".join(f'"{column}" AS "{alias}"' for alias, column in renamed.items())
            self.connection.execute(f'CREATE TEMP VIEW "{name}" AS SELECT {fields} FROM "{table}"')
            self._columns[name] = list(renamed)

    def execute(self, text: str) -> None:
        """Run a whole query; its rows are then on the connection."""
        statements = [statement for statement in split(tokens(text), ";") if code(statement)]
        if not statements:
            raise syntax("The query is empty")
        for statement in statements[:-1]:
            self._lets.append(self._staged(statement))
        self._select(self._staged(statements[-1]))

    def keep(self, query: str) -> str:
        """Run KQL and keep its rows, in their order, as a temporary table; its name."""
        name = next(self._names)
        self._select(self._staged(tokens(query)), into=name)
        self._columns[name] = list(self.columns(name))
        return name

    def make(self, select: str) -> str:
        """Keep the rows of an SQL SELECT as a temporary table; its name."""
        name = next(self._names)
        self.connection.execute(f'CREATE TEMP TABLE "{name}" AS {select}')
        self._columns[name] = list(self.columns(name))
        return name

    def columns(self, table: str) -> dict[str, str]:
        """The columns of a temporary table: name -> DuckDB type."""
        return {row[0]: row[1] for row in self.connection.execute(f"DESCRIBE {quote(table)}").fetchall()}

    def _conditions(self, table: str, scope: Scope) -> Iterator[str]:
        yield f"_ingestion_time <= {_timestamp(self._now)}"
        if scope.timespan:
            start, end = scope.timespan
            yield f'"TimeGenerated" BETWEEN {_timestamp(start)} AND {_timestamp(end)}'
        if scope.resource_id:
            resource = scope.resource_id.replace("'", "''")
            yield f"(\"_ResourceId\" = '{resource}' OR starts_with(\"_ResourceId\", '{resource}/'))"
        if table == "AmlOnlineEndpointTrafficLog" and not scope.mirrored_traffic:
            yield "NOT _mirrored"

    def _staged(self, statement: list[str], source_is_ordered: bool = False) -> str:
        """The statement with all that stages take already done."""
        head, body = _let_head(statement)
        pipeline = split(body, "|")
        ordered = source_is_ordered or "".join(code(pipeline[0])) in self._ordered_lets
        for position, operator in enumerate(pipeline):
            left = pipeline[:position]
            if (stage := _stage(operator, is_ordered(left, ordered))) is None:
                continue
            done = "".join(head) + stage(self, "|".join("".join(part) for part in left).strip())
            rest = ["".join(part) for part in pipeline[position + 1 :]]
            return self._staged(tokens("|".join([done, *rest])), is_ordered(pipeline[: position + 1], ordered))
        if head and is_ordered(pipeline, ordered):
            self._ordered_lets.add(code(head)[1])
        return "".join(statement)

    def _select(self, statement: str, into: str | None = None) -> None:
        from duckdb_kql import to_sql

        text = ";".join([*self._lets, statement])
        sql = to_sql(text, schema=self._columns, allow_write=False, query_now=self._now)
        if sql.unbound:
            raise semantic(f"query parameters without a value: {', '.join(sql.unbound)}")
        prefix = f'CREATE TEMP TABLE "{into}" AS ' if into else ""
        if sql.parameters:
            self.connection.execute(prefix + str(sql), sql.parameters)
        else:
            self.connection.execute(prefix + str(sql))


def _stage(operator: list[str], ordered: bool) -> Stage | None:
    return next((found for take in _STAGES if (found := take(operator, ordered)) is not None), None)


def _let_head(statement: list[str]) -> tuple[list[str], list[str]]:
    """`let name =` and what follows it; an empty head for a statement that is no let."""
    if code(statement)[:1] != ["let"] or "=" not in statement:
        return [], statement
    cut = statement.index("=") + 1
    return statement[:cut], [" ", *statement[cut:]]


def _timestamp(value: datetime) -> str:
    return f"TIMESTAMP '{value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=' ')}'"
