"""Runs a KQL query over the stored rows: duckdb-kql, behind the shims that it needs.

Each query gets views of its own: visible rows only, the caller's timespan as a closed filter, and one resource's rows
when the query is scoped to a resource. What duckdb-kql cannot translate is refused with 501, never guessed. Known gaps
are listed in facts/logs.md section 7 (percentile of an int stays int, microseconds instead of 100 ns).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from localcloud.monitor import bag_unpack
from localcloud.monitor.kql_errors import QueryRefused, semantic, syntax, unsupported
from localcloud.monitor.kql_rewrite import INGESTION_TIME, rewrite
from localcloud.monitor.kql_text import code, split, tokens
from localcloud.monitor.kusto_values import cell, kusto_type
from localcloud.monitor.query_deadline import deadline
from localcloud.monitor.schema import CLASSIC_NAMES
from localcloud.monitor.store import TableStore

if TYPE_CHECKING:
    import duckdb

_SCALAR_BYTES = 8


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


@dataclass(frozen=True)
class Answer:
    """Rows of a query, already in the reply's JSON values."""

    columns: list[tuple[str, str]]
    """Names and Kusto types."""
    rows: list[list[Any]]
    cut: bool
    """Whether there was more than the limits let through."""


@dataclass(frozen=True)
class Limits:
    """How much of an answer is given, and how long it may take."""

    rows: int
    bytes: int = 64_000_000
    seconds: float = 180.0


def run(store: TableStore, query: str, scope: Scope, limits: Limits) -> Answer:
    """The query's answer; QueryRefused with the service's own error otherwise. Blocking: call it in a thread."""
    text, reads_ingestion_time = rewrite(query)
    with closing(store.cursor()) as connection, _refusals(), deadline(connection, limits.seconds):
        connection.execute("SET TimeZone='UTC'")
        session = _Session(connection, store)
        session.make_views(scope, reads_ingestion_time)
        session.execute(text)
        description = connection.description or []
        shown = [i for i, column in enumerate(description) if not column[0].startswith(INGESTION_TIME)]
        fetched = connection.fetchmany(limits.rows + 1)
    columns = [(description[i][0], kusto_type(description[i][1])) for i in shown]
    rows: list[list[Any]] = []
    room = limits.bytes
    for row in fetched[: limits.rows]:
        cells = [cell(row[i], kind) for i, (_, kind) in zip(shown, columns, strict=True)]
        room -= sum(len(value) if isinstance(value, str) else _SCALAR_BYTES for value in cells)
        if room < 0:
            break
        rows.append(cells)
    return Answer(columns, rows, cut=len(fetched) > len(rows))


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what duckdb-kql and DuckDB raise into the service's errors."""
    import duckdb
    from duckdb_kql import KqlError, KqlSchemaError, KqlSyntaxError

    try:
        yield
    except KqlSyntaxError as error:
        raise syntax(f"Query could not be parsed: {error}") from error
    except KqlSchemaError as error:
        if "unknown table" in str(error):
            raise semantic(f"Failed to resolve table or column expression named '{error.name}'") from error
        raise unsupported(str(error)) from error
    except KqlError as error:
        raise unsupported(str(error)) from error
    except (duckdb.BinderException, duckdb.CatalogException) as error:
        raise semantic(f"Failed to resolve: {error}") from error
    except (duckdb.Error, ValueError) as error:
        raise unsupported(f"{type(error).__name__}: {error}") from error


class _Session:
    """One query's connection, its views, and the temporary tables made on the way."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, store: TableStore) -> None:
        self._connection, self._now, self._tables = connection, store.clock(), store.readable()
        self._columns: dict[str, list[str]] = {}
        self._names = (f"_unpacked_{number}" for number in itertools.count())

    def make_views(self, scope: Scope, reads_ingestion_time: bool) -> None:
        """A view per table that shows what the scope allows at this moment."""
        for table, columns in self._tables.items():
            shown = [*columns, *([INGESTION_TIME] if reads_ingestion_time else [])]
            condition = " AND ".join(self._conditions(table, scope))
            fields = ", ".join(f'"{name}"' for name in shown)
            self._connection.execute(
                f'CREATE TEMP VIEW "{table}" AS SELECT {fields} FROM rows."{table}" WHERE {condition}'
            )
            self._columns[table] = shown
        for name, (table, renamed) in CLASSIC_NAMES.items() if scope.classic_names else ():
            fields = ", ".join(f'"{column}" AS "{alias}"' for alias, column in renamed.items())
            self._connection.execute(f'CREATE TEMP VIEW "{name}" AS SELECT {fields} FROM "{table}"')
            self._columns[name] = list(renamed)

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

    def execute(self, text: str) -> None:
        """Run a whole query; its rows are then on the connection."""
        statements = [statement for statement in split(tokens(text), ";") if code(statement)]
        if not statements:
            raise syntax("The query is empty")
        lets: list[str] = []
        for statement in statements[:-1]:
            lets.append("".join(self._unpack(lets, statement)))
        self._select([*lets, "".join(self._unpack(lets, statements[-1]))])

    def _unpack(self, lets: list[str], statement: list[str]) -> list[str]:
        """The statement with everything up to its last top-level bag_unpack replaced by a temporary table."""
        head, body = _let_head(statement)
        pipeline = split(body, "|")
        for position, operator in enumerate(pipeline):
            if (call := bag_unpack.parse(operator)) is None:
                continue
            source, target = next(self._names), next(self._names)
            left = "|".join("".join(part) for part in pipeline[:position])
            self._select([*lets, left], into=source)
            self._columns[target] = bag_unpack.materialise(self._connection, source, call, target)
            rest = ["".join(part) for part in pipeline[position + 1 :]]
            return self._unpack(lets, tokens("|".join(["".join(head) + " " + target, *rest])))
        return statement

    def _select(self, statements: list[str], into: str | None = None) -> None:
        from duckdb_kql import to_sql

        sql = to_sql(";".join(statements), schema=self._columns, allow_write=False, query_now=self._now)
        if sql.unbound:
            raise semantic(f"query parameters without a value: {', '.join(sql.unbound)}")
        prefix = f'CREATE TEMP TABLE "{into}" AS ' if into else ""
        if sql.parameters:
            self._connection.execute(prefix + str(sql), sql.parameters)
        else:
            self._connection.execute(prefix + str(sql))


def _let_head(statement: list[str]) -> tuple[list[str], list[str]]:
    """`let name =` and what follows it; an empty head for a statement that is no let."""
    if code(statement)[:1] != ["let"] or "=" not in statement:
        return [], statement
    cut = statement.index("=") + 1
    return statement[:cut], statement[cut:]


def _timestamp(value: datetime) -> str:
    return f"TIMESTAMP '{value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=' ')}'"


__all__ = ["Answer", "Limits", "QueryRefused", "Scope", "run"]
