"""A time limit on one query's connection.

DuckDB runs a statement in C++ and can only be asked to stop, and forgets to be asked between two statements. So a
thread asks again and again until the query is over, which then ends with the service's 504.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from localcloud.monitor.kql_errors import QueryRefused

if TYPE_CHECKING:
    import duckdb

_AGAIN_SECONDS = 0.02


@contextmanager
def deadline(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """QueryRefused 504 when the block takes longer."""
    import duckdb

    done, over = threading.Event(), threading.Event()

    def stop() -> None:
        if done.wait(seconds):
            return
        over.set()
        while not done.wait(_AGAIN_SECONDS):
            connection.interrupt()

    watch = threading.Thread(target=stop, daemon=True)
    watch.start()
    try:
        yield
    except duckdb.InterruptException:
        over.set()
    finally:
        done.set()
        watch.join()  # it must not interrupt a connection that is closed already
    if over.is_set():
        raise QueryRefused(504, "GatewayTimeout", f"The query took longer than {seconds:g} seconds and was cancelled.")
