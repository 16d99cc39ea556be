"""What Log Analytics says about a window, asked once and kept.

The kept answer makes everything after it repeatable: `ingestion_time()` is approximate, so the same question may be
answered differently a minute later (facts: logs, section 1), and a crash between two files must not tear a request.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cloud.blobs import Blobs
from cloud.errors import Permanent, Temporary
from cloud.kql import render
from cloud.logs import Logs, PartialResult, TimedOut
from export.lines import Line
from export.store import STATE, Place, keep_once, packed, state_name, unpacked
from export.windows import Window, stamp

QUERY = Path(__file__).parent / "queries" / "console_rows.kql"
GENERATED_BEFORE = timedelta(days=3)
"""How much older than its ingestion a row may be: Azure replaces TimeGenerated older than 2 days."""
GENERATED_AFTER = timedelta(days=1)
QUERY_SECONDS = 120.0
HALF_SECONDS = 20.0
"""For the halves of a window that took too long: where nothing is answered at all, a quarter of an hour is given up at
its first second well within the ten minutes that a function may run (host.json)."""


def answer(
    blobs: Blobs, logs: Logs, place: Place, endpoint_id: str, workspace_id: str, window: Window
) -> tuple[Line, ...]:
    """The window's console lines: the kept answer, or Log Analytics' own, which is then kept."""
    name = state_name(place, window, "answer")
    if blobs.read(STATE, name) is None:
        rows = [row for part in _whole(logs, endpoint_id, workspace_id, window, QUERY_SECONDS) for row in part]
        keep_once(blobs, STATE, name, packed(_json(row) for row in rows))
    stored = blobs.read(STATE, name)
    if stored is None:  # another worker finished this window between the two calls and cleaned up
        raise Temporary(f"window {window.name} of {place.path} is being finished elsewhere")
    return tuple(_line(item) for item in unpacked(stored.data))


def _whole(
    logs: Logs, endpoint_id: str, workspace_id: str, window: Window, seconds: float
) -> Iterator[list[dict[str, Any]]]:
    """All rows of a window, halving it while the service gives only part of them or takes too long."""
    try:
        yield _ask(logs, endpoint_id, workspace_id, window, seconds)
    except (PartialResult, TimedOut) as error:
        halves = window.halves()
        if halves is None and isinstance(error, TimedOut):
            raise  # an outage looks the same, and passes
        if halves is None:
            raise Permanent(
                f"the logs of one second ({window.name}) are more than one query may return: {error.reason}"
            ) from error
        if isinstance(error, TimedOut):
            seconds = HALF_SECONDS
        for half in halves:
            yield from _whole(logs, endpoint_id, workspace_id, half, seconds)


def question(endpoint_id: str, window: Window) -> tuple[str, datetime, datetime]:
    """The query for an endpoint's lines of a window, and the times of generation that it looks at."""
    kql = render(
        QUERY,
        generated_since=window.since - GENERATED_BEFORE,
        window_since=window.since,
        window_until=window.until,
        endpoint_id=endpoint_id,
    )
    return kql, window.since - GENERATED_BEFORE, window.until + GENERATED_AFTER


def _ask(logs: Logs, endpoint_id: str, workspace_id: str, window: Window, seconds: float) -> list[dict[str, Any]]:
    kql, since, until = question(endpoint_id, window)
    return logs.query(workspace_id, kql, since, until, timeout=seconds)


def _json(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "time": stamp(row["TimeGenerated"]),
        "ingested": stamp(row["Ingested"]),
        "deployment": row["DeploymentName"] or "unknown",
        "instance": row["InstanceId"],
        "message": row["Message"],
    }


def _line(item: dict[str, Any]) -> Line:
    return Line(
        time=datetime.fromisoformat(item["time"]),
        ingested=datetime.fromisoformat(item["ingested"]),
        deployment=item["deployment"],
        instance=item["instance"],
        message=item["message"],
    )
