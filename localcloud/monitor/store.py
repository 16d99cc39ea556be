"""The rows of the workspace: appended by the other parts, read by KQL and by the metrics.

Rows wait in a plain list and are moved into DuckDB (in memory) in one Arrow batch when somebody reads, so that an
append costs microseconds on the event loop. A row is visible to queries from its ingestion time, `ingestion_seconds`
after it was received; metrics read by receive time and do not wait. Rows older than `kept` are deleted in bulk now and
then, so that a stack that runs for days stays as large as it was after the first hours.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from localcloud.faults import Faults
from localcloud.monitor.schema import DUCKDB_TYPES, HIDDEN, TABLES
from localcloud.seams import Json, utc_now

if TYPE_CHECKING:
    import duckdb
    import pyarrow

_OLDEST = timedelta(days=2)
_NEWEST = timedelta(days=1)
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""The ingestion time of rows that wait for a step."""
_UNSENT = datetime(9998, 1, 1, tzinfo=UTC)
"""The ingestion time of rows that no diagnostic setting sends: the metrics count them, no query shows them."""
_SHORTHAND = frozenset({"_mirrored"})
_LATE_SECONDS = 5.0
_CLOSING_SECONDS = 10.0
_PRUNINGS_PER_KEPT = 20
"""How often rows are pruned while a row is kept: the store holds at most a twentieth more than it has to."""


class TableStore:
    """Implements `localcloud.seams.Tables`; one for the whole cloud process, safe to read from worker threads."""

    def __init__(
        self,
        ingestion: timedelta,
        subscription_id: str,
        tenant_id: str,
        clock: Callable[[], datetime] = utc_now,
        *,
        faults: Faults | None = None,
        kept: timedelta | None = None,
        sent: Callable[[str, Json], bool] = lambda table, row: True,  # noqa: ARG005
    ) -> None:
        """`kept`: how long rows stay; for ever without it. `sent`: whether a row of a table reaches the workspace."""
        self.ingestion = ingestion
        self.clock = clock
        self.tables: dict[str, Mapping[str, str]] = dict(TABLES)
        self._faults, self._kept, self._sent = faults or Faults(), kept, sent
        self._next_pruning = clock() + kept / _PRUNINGS_PER_KEPT if kept else None
        self._subscription_id, self._tenant_id = subscription_id, tenant_id
        self._pending: dict[str, list[Json]] = {name: [] for name in TABLES}
        self._pending_lock = threading.Lock()
        self._database_lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._made: dict[str, Mapping[str, str]] = {}
        self._first_received: datetime | None = None
        self._held: datetime | None = None

    def append(self, table: str, rows: Sequence[Json]) -> None:
        """Take rows; they are visible to queries `ingestion` later. ValueError names an unknown table or column."""
        if table not in self.tables:
            raise ValueError(f"no table {table!r}; there are {', '.join(self.tables)}")
        known = self.tables[table].keys() | _SHORTHAND
        for row in rows:
            if unknown := row.keys() - known:
                raise ValueError(f"{table} has no column {', '.join(sorted(unknown))}")
        received = self.clock()
        finished = self._struck(table, [self._finish(table, row, received) for row in rows])
        with self._pending_lock:
            self._pending.setdefault(table, []).extend(finished)
            visible = any(row["_ingestion_time"] < _UNSENT for row in finished)
            if visible and self._first_received is None:
                self._first_received = received

    def hold(self) -> None:
        """From now on rows stay invisible until `release`, instead of for a time."""
        self._held = _NEVER

    def release(self) -> int:
        """Make all rows visible that are held; how many those are."""
        now, released = self.clock(), 0
        with self._pending_lock:
            for row in (row for rows in self._pending.values() for row in rows if row["_ingestion_time"] >= _NEVER):
                row["_ingestion_time"] = now + (row["_ingestion_time"] - _NEVER)  # late ones come late after the step
                released += 1
        released += self._release_stored(now)
        if released and self._first_received is None:
            self._first_received = now - self.ingestion
        return released

    def _release_stored(self, now: datetime) -> int:
        times, released = {"now": now.replace(tzinfo=None), "never": _NEVER.replace(tzinfo=None)}, 0
        with self._database_lock:
            for table in self._made:
                update = (
                    f'UPDATE rows."{table}" SET _ingestion_time = $now + (_ingestion_time - $never) '
                    "WHERE _ingestion_time >= $never"
                )
                released += self._open().execute(update, times).fetchall()[0][0]
        return released

    def add_table(self, name: str, columns: Mapping[str, str]) -> None:
        """Make a custom table, or give it more columns; ValueError when a column would change its type."""
        before = self.tables.get(name, {})
        for column, kind in columns.items():
            if before.get(column, kind) != kind:
                raise ValueError(f"{name}: the column {column} is {before[column]} and cannot become {kind}")
        self.tables[name] = {**before, **columns}

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
            "_ingestion_time": (self._held or received + self.ingestion) if self._sent(table, row) else _UNSENT,
        }

    def _struck(self, table: str, rows: list[Json]) -> list[Json]:
        """The rows after the faults that were set for them."""
        if not rows:
            return rows
        if (late := self._faults.take("rows.late", table)) is not None:
            delay = timedelta(seconds=float(late.get("seconds", _LATE_SECONDS)))
            rows = [{**row, "_ingestion_time": row["_ingestion_time"] + delay} for row in rows]
        if self._faults.take("rows.doubled", table) is not None:
            # The copy is the log's alone: without a receive time the metrics do not count it.
            rows = rows + [{**row, "_ItemId": str(uuid.uuid4()), "_received": None} for row in rows]
        return rows

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of one's own to all rows received so far, in base tables `rows.<Table>`; close it after use."""
        with self._database_lock:
            connection = self._open()
            with self._pending_lock:  # held for the swap only: an append never waits for DuckDB
                waiting = {table: rows for table, rows in self._pending.items() if rows}
                self._pending.update({table: [] for table in waiting})
            for table, columns in list(self.tables.items()):
                self._make(connection, table, columns)
            for table, rows in waiting.items():
                connection.register("batch", _arrow({**self.tables[table], **HIDDEN}, rows))
                connection.execute(f'INSERT INTO rows."{table}" BY NAME SELECT * FROM batch')
                connection.unregister("batch")
            self._prune(connection)
            return connection.cursor()

    def readable(self) -> dict[str, Mapping[str, str]]:
        """The tables that a cursor made before this call finds, with their columns."""
        with self._database_lock:
            return dict(self._made)

    def tidy(self) -> None:
        """What a read does on the way, for a cloud that nobody reads from: move waiting rows, delete old ones."""
        self.cursor().close()

    def close(self) -> None:
        """Release DuckDB; an open connection at exit prints noise. A query that still runs is waited for."""
        with self._database_lock:
            if self._connection is not None:
                _close(self._connection)
                self._connection = None
                self._made.clear()

    def _open(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            import duckdb

            self._connection = duckdb.connect(":memory:", config={"threads": 2})
            self._connection.execute("SET GLOBAL TimeZone='UTC'")
            self._connection.execute("CREATE SCHEMA rows")
        return self._connection

    def _make(self, connection: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, str]) -> None:
        """The base table with these columns, new ones added to what is there."""
        made = self._made.get(table)
        if made == columns:
            return
        fields = {f'"{name}" {DUCKDB_TYPES[kind]}': name for name, kind in {**columns, **HIDDEN}.items()}
        if made is None:
            connection.execute(f'CREATE TABLE rows."{table}" ({", ".join(fields)})')
        else:
            for field in (field for field, name in fields.items() if name not in made and name not in HIDDEN):
                connection.execute(f'ALTER TABLE rows."{table}" ADD COLUMN {field}')
        self._made[table] = dict(columns)

    def _prune(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Delete what is older than `kept`, at most a few times in that time."""
        now = self.clock()
        if self._kept is None or self._next_pruning is None or now < self._next_pruning:
            return
        self._next_pruning = now + self._kept / _PRUNINGS_PER_KEPT
        oldest = (now - self._kept).astimezone(UTC).replace(tzinfo=None)
        for table in self._made:
            connection.execute(f'DELETE FROM rows."{table}" WHERE _ingestion_time < ?', [oldest])


def _arrow(columns: Mapping[str, str], rows: Sequence[Json]) -> pyarrow.Table:
    import pyarrow

    arrow_types = {
        "string": pyarrow.string(),
        "int": pyarrow.int32(),
        "real": pyarrow.float64(),
        "long": pyarrow.int64(),
        "bool": pyarrow.bool_(),
        "datetime": pyarrow.timestamp("us"),
        "dynamic": pyarrow.string(),
    }
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
    if kind in ("int", "long"):
        return int(value)
    return value


def _close(connection: duckdb.DuckDBPyConnection) -> None:
    """DuckDB refuses to close what a cursor of it is busy with, instead of waiting."""
    import duckdb

    give_up = time.monotonic() + _CLOSING_SECONDS
    while True:
        try:
            return connection.close()
        except duckdb.ResourceInUseException:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.02)
