"""Runs a KQL query over the stored rows: duckdb-kql, behind the shims that it needs.

Each query gets views of its own: visible rows only, the caller's timespan as a closed filter, and one resource's rows
when the query is scoped to a resource. `_ItemId` shows only in a query that names it, as on Azure. What neither
duckdb-kql nor the stages (kql_stages.py) can do is refused with 501, never guessed. Known gaps are listed in
docs/localcloud.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from localcloud.monitor.kql_errors import QueryRefused, semantic, syntax, unresolved, unsupported
from localcloud.monitor.kql_rewrite import INGESTION_TIME, rewrite
from localcloud.monitor.kql_session import Scope, Session
from localcloud.monitor.kql_text import tokens
from localcloud.monitor.kusto_values import cell, kusto_type
from localcloud.monitor.query_deadline import deadline
from localcloud.monitor.store import TableStore

_SCALAR_BYTES = 8


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
        session = Session(connection, store)
        session.make_views(scope, reads_ingestion_time)
        session.execute(text)
        description = connection.description or []
        hidden = {INGESTION_TIME} if "_ItemId" in tokens(query) else {INGESTION_TIME, "_ItemId"}
        shown = [i for i, column in enumerate(description) if column[0] not in hidden]
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
        raise unresolved(str(error)) from error
    except (duckdb.Error, ValueError) as error:
        raise unsupported(f"{type(error).__name__}: {error}") from error


__all__ = ["Answer", "Limits", "QueryRefused", "Scope", "run"]
