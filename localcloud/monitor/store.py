"""The rows of the workspace: appended by the other parts, read by KQL and by the metrics.

Rows wait in a plain list and are moved into DuckDB (in memory) in one Arrow batch when somebody reads, so that an
append costs microseconds on the event loop. A row is visible to queries from its ingestion time, `ingestion_seconds`
after it was received; metrics read by receive time and do not wait. Nothing is ever deleted: a local run is short.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from localcloud.monitor.schema import DUCKDB_TYPES, HIDDEN, TABLES
from localcloud.seams import Json, utc_now

if TYPE_CHECKING:
    import duckdb
    import pyarrow

_OLDEST = timedelta(days=2)
_NEWEST = timedelta(days=1)
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""The ingestion time of rows that wait for a step."""
_SHORTHAND = frozenset({"_mirrored"})


class TableStore:
    """Implements `localcloud.seams.Tables`; one for the whole cloud process, safe to read from worker threads."""

    def __init__(
        self, ingestion: timedelta, subscription_id: str, tenant_id: str, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self.ingestion = ingestion
        self.clock = clock
        self._subscription_id, self._tenant_id = subscription_id, tenant_id
        self._pending: dict[str, list[Json]] = {name: [] for name in TABLES}
        self._pending_lock = threading.Lock()
        self._database_lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._first_received: datetime | None = None
        self._held: datetime | None = None

    def append(self, table: str, rows: Sequence[Json]) -> None:
        """Take rows; they are visible to queries `ingestion` later. ValueError names an unknown table or column."""
        if table not in TABLES:
            raise ValueError(f"no table {table!r}; there are {', '.join(TABLES)}")
        known = TABLES[table].keys() | _SHORTHAND
        for row in rows:
            if unknown := row.keys() - known:
                raise ValueError(f"{table} has no column {', '.join(sorted(unknown))}")
        received = self.clock()
        finished = [self._finish(table, row, received) for row in rows]
        with self._pending_lock:
            self._pending[table].extend(finished)
            if finished and self._first_received is None and self._held is None:
                self._first_received = received

    def hold(self) -> None:
        """From now on rows stay invisible until `release`, instead of for a time."""
        self._held = _NEVER

    def release(self) -> int:
        """Make all rows visible that are held; how many those are."""
        now, released = self.clock(), 0
        with self._pending_lock:
            for row in (row for rows in self._pending.values() for row in rows if row["_ingestion_time"] == _NEVER):
                row["_ingestion_time"] = now
                released += 1
        released += self._release_stored(now)
        if released and self._first_received is None:
            self._first_received = now - self.ingestion
        return released

    def _release_stored(self, now: datetime) -> int:
        times, released = {"now": now.replace(tzinfo=None), "never": _NEVER.replace(tzinfo=None)}, 0
        with self._database_lock:
            for table in TABLES if self._connection is not None else ():
                update = f'UPDATE rows."{table}" SET _ingestion_time = $now WHERE _ingestion_time = $never'
                released += self._open().execute(update, times).fetchall()[0][0]
        return released

    def has_data(self) -> bool:
        """Whether any row has ever become visible; before that the service answers 204."""
        return self._first_received is not None and self._first_received + self.ingestion <= self.clock()

    def _finish(self, table: str, row: Json, received: datetime) -> Json:
        generated = row.get("TimeGenerated", received)
        if generated.tzinfo is None:
            raise ValueError(f"{table}: TimeGenerated must be an aware datetime")
        # Azure replaces times that are too old or too far ahead by the time of receipt (facts/logs.md section 1).
        if not received - _OLDEST <= generated <= received + _NEWEST:
            generated = received
        return {
            "TenantId": self._tenant_id,
            "SourceSystem": "Azure",
            "Type": table,
            "_SubscriptionId": self._subscription_id,
            "_ItemId": str(uuid.uuid4()),
            "_IsBillable": "True",
            "_mirrored": False,
            **row,
            "TimeGenerated": generated,
            "_received": received,
            "_ingestion_time": self._held or received + self.ingestion,
        }

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of one's own to all rows received so far, in base tables `rows.<Table>`; close it after use."""
        with self._database_lock:
            connection = self._open()
            with self._pending_lock:  # held for the swap only: an append never waits for DuckDB
                waiting = {table: rows for table, rows in self._pending.items() if rows}
                self._pending.update({table: [] for table in waiting})
            for table, rows in waiting.items():
                connection.register("batch", _arrow(table, rows))
                connection.execute(f'INSERT INTO rows."{table}" SELECT * FROM batch')
                connection.unregister("batch")
            return connection.cursor()

    def close(self) -> None:
        """Release DuckDB; an open connection at exit prints noise."""
        with self._database_lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            import duckdb

            self._connection = duckdb.connect(":memory:", config={"threads": 2})
            self._connection.execute("SET GLOBAL TimeZone='UTC'")
            self._connection.execute("CREATE SCHEMA rows")
            for table, columns in TABLES.items():
                fields = ", ".join(f'"{name}" {DUCKDB_TYPES[kind]}' for name, kind in {**columns, **HIDDEN}.items())
                self._connection.execute(f'CREATE TABLE rows."{table}" ({fields})')
        return self._connection


def _arrow(table: str, rows: Sequence[Json]) -> pyarrow.Table:
    import pyarrow

    arrow_types = {
        "string": pyarrow.string(),
        "int": pyarrow.int32(),
        "real": pyarrow.float64(),
        "bool": pyarrow.bool_(),
        "datetime": pyarrow.timestamp("us"),
        "dynamic": pyarrow.string(),
    }
    columns = dict(TABLES[table]) | HIDDEN
    arrays = [
        pyarrow.array([_cell(row.get(name), kind) for row in rows], type=arrow_types[kind])
        for name, kind in columns.items()
    ]
    return pyarrow.Table.from_arrays(arrays, names=list(columns))


def _cell(value: Any, kind: str) -> Any:
    if value is None:
        return "" if kind == "string" else None  # a Kusto string is never null
    if kind == "dynamic":
        return json.dumps(value)
    if kind == "datetime":
        return value.astimezone(UTC).replace(tzinfo=None)
    if kind == "string":
        return value if isinstance(value, str) else str(value)
    if kind == "int":
        return int(value)
    return value
