"""The reference data of an endpoint: the policy's own file, kept as a copy that follows its source's ETag."""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from cloud.blobs import Blobs
from cloud.errors import Conflict, Permanent
from drift.context import Context, Watched
from drift.store import DATA, Place, baseline_name
from drift.traffic import rows

if TYPE_CHECKING:
    import pyarrow

FIRST_WINDOW = "first window"


def baseline(context: Context, one: Watched, until: datetime, window: timedelta, least_rows: int) -> pyarrow.Table:
    """The baseline's rows; an empty table while a policy without a baseline waits for its first full window."""
    uri = one.policy.drift.baseline if one.policy.drift else None
    if uri is None:
        return _first_window(context.blobs, one.place, until, window, least_rows)
    source, etag = sha256(uri.encode()).hexdigest(), context.datastores.etag(uri, one.workspace).strip('"')
    stored = context.blobs.read(DATA, baseline_name(one.place))
    if stored is not None and (stored.metadata.get("source"), stored.metadata.get("etag")) == (source, etag):
        return _parquet(stored.data)
    return _copy(context, one, uri, source)


def _copy(context: Context, one: Watched, uri: str, source: str) -> pyarrow.Table:
    import pyarrow

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "baseline"
        etag = context.datastores.download(uri, one.workspace, file).strip('"')
        try:
            table = _table(uri, file)
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            raise Permanent(f"the baseline {uri.split('?')[0]} cannot be read as Parquet or CSV: {error}") from error
    metadata = {"source": source, "etag": etag}
    context.blobs.write(DATA, baseline_name(one.place), _encoded(table), metadata=metadata)
    return table


def _first_window(blobs: Blobs, place: Place, until: datetime, window: timedelta, least_rows: int) -> pyarrow.Table:
    name = baseline_name(place)
    stored = blobs.read(DATA, name)
    if stored is not None and stored.metadata.get("source") == FIRST_WINDOW:
        return _parquet(stored.data)
    table = rows(blobs, place, until - window, until)
    if len(table) >= least_rows:
        etag = stored.etag if stored else None
        try:
            blobs.write(DATA, name, _encoded(table), metadata={"source": FIRST_WINDOW}, etag=etag, absent=etag is None)
        except Conflict:
            return _parquet_of(blobs, name)
    return table.slice(0, 0)  # a window is never compared with itself


def _parquet_of(blobs: Blobs, name: str) -> pyarrow.Table:
    stored = blobs.read(DATA, name)
    if stored is None:
        raise Permanent(f"{DATA}/{name} was deleted while it was read")
    return _parquet(stored.data)


def _table(uri: str, file: Path) -> pyarrow.Table:
    import pyarrow.csv
    import pyarrow.parquet

    if uri.split("?")[0].lower().endswith(".csv"):
        return pyarrow.csv.read_csv(file)
    return pyarrow.parquet.read_table(file)


def _parquet(data: bytes) -> pyarrow.Table:
    import pyarrow
    import pyarrow.parquet

    return pyarrow.parquet.read_table(pyarrow.BufferReader(data))


def _encoded(table: pyarrow.Table) -> bytes:
    import pyarrow
    import pyarrow.parquet

    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink, compression="zstd")
    encoded: bytes = sink.getvalue().to_pybytes()
    return encoded
