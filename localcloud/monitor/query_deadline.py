"""A time limit on one query's connection.

DuckDB runs a statement in C++ and can only be asked to stop, so a timer asks; the query then ends with the service's
504. The time spent outside DuckDB (translating the query) is checked when it is over.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from localcloud.monitor.kql_errors import QueryRefused

if TYPE_CHECKING:
    import duckdb


@contextmanager
def deadline(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """QueryRefused 504 when the block takes longer."""
    import duckdb

    over = threading.Event()

    def stop() -> None:
        over.set()
        connection.interrupt()

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    except duckdb.InterruptException:
        over.set()
    finally:
        timer.cancel()
        timer.join()  # it must not interrupt a connection that is closed already
    if over.is_set():
        raise QueryRefused(504, "GatewayTimeout", f"The query took longer than {seconds:g} seconds and was cancelled.")
