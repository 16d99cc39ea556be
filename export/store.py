"""Where the export keeps what it writes, and the watermark of each endpoint. Layout: docs and contracts, "Storage".

inference/<policy>/<target>/<endpoint>/<deployment>/date=.../hour=.../<window>.parquet  .summary  .unreadable.jsonl
state/watermarks/<policy>/<target>/<endpoint>.json
state/watermarks/<policy>/<target>/<endpoint>/<window>.answer.gz   what Log Analytics said, until the window is done
state/watermarks/<policy>/<target>/<endpoint>/<window>.waiting.gz  halves without partner, for the next window
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from cloud.blobs import Blobs
from cloud.errors import Conflict, Permanent
from export.windows import Window, stamp

DATA, STATE = "inference", "state"


@dataclass(frozen=True)
class Place:
    """One endpoint of one target of one policy, by name."""

    policy: str
    target: str
    endpoint: str

    @property
    def path(self) -> str:
        """As it stands in blob names."""
        return f"{self.policy}/{self.target}/{self.endpoint}"


@dataclass(frozen=True)
class Watermark:
    """Everything ingested before `until` is in the data set. `last` is the window that ended there."""

    until: datetime
    etag: str
    last: Window | None = None
    problem: str | None = None
    """Why the next window cannot be exported until somebody changes something."""


def file_name(place: Place, deployment: str, window: Window, ending: str) -> str:
    """A window's file of one deployment, in container `inference`."""
    hour = window.since.astimezone(UTC).strftime("%H")
    return f"{place.path}/{deployment}/{day_folder(window.since)}/hour={hour}/{window.name}.{ending}"


def day_folder(moment: datetime) -> str:
    """The folder of the windows that start on the same day, in UTC."""
    return f"date={moment.astimezone(UTC):%Y-%m-%d}"


def read_watermark(blobs: Blobs, place: Place) -> Watermark | None:
    """The endpoint's watermark, or None before its first window; Permanent when the blob is something else."""
    stored = blobs.read(STATE, _watermark_name(place))
    if stored is None:
        return None
    try:
        found = json.loads(stored.data)
        until, since = datetime.fromisoformat(found["until"]), found.get("since")
        last = Window(datetime.fromisoformat(since), until) if since else None
        return Watermark(until, stored.etag, last, found.get("problem"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        name = f"{STATE}/{_watermark_name(place)}"
        raise Permanent(f"{name} is no watermark ({error}); delete it, and the export begins anew") from error


def begin(blobs: Blobs, place: Place, until: datetime) -> None:
    """Set the first watermark; one that is there already stays."""
    try:
        blobs.write(STATE, _watermark_name(place), _watermark_json(until, None, None), absent=True)
    except Conflict:
        return


def advance(blobs: Blobs, place: Place, watermark: Watermark, done: Window) -> Watermark:
    """Move the watermark to the end of `done`; Conflict when somebody else moved it meanwhile."""
    data = _watermark_json(done.until, done.since, None)
    etag = blobs.write(STATE, _watermark_name(place), data, etag=watermark.etag)
    return Watermark(done.until, etag, done)


def note_problem(blobs: Blobs, place: Place, watermark: Watermark, problem: str) -> Watermark:
    """Keep beside the watermark why it does not move."""
    since = watermark.last.since if watermark.last else None
    etag = blobs.write(
        STATE, _watermark_name(place), _watermark_json(watermark.until, since, problem), etag=watermark.etag
    )
    return replace(watermark, etag=etag, problem=problem)


def keep_once(blobs: Blobs, container: str, name: str, data: bytes) -> None:
    """Write a blob that is never written twice; what is there already stays."""
    try:
        blobs.write(container, name, data, absent=True)
    except Conflict:
        return


def state_name(place: Place, window: Window, ending: str) -> str:
    """A window's working file, in container `state`."""
    return f"watermarks/{place.path}/{window.name}.{ending}.gz"


def packed(items: Iterable[dict[str, Any]]) -> bytes:
    """JSON lines, compressed; the same items give the same bytes."""
    return gzip.compress(json_lines(items), mtime=0)


def unpacked(data: bytes) -> list[dict[str, Any]]:
    """What `packed` made into bytes."""
    return [json.loads(line) for line in gzip.decompress(data).splitlines() if line]


def json_lines(items: Iterable[dict[str, Any]]) -> bytes:
    """One JSON object a line."""
    return b"".join(json.dumps(item, separators=(",", ":")).encode() + b"\n" for item in items)


def _watermark_name(place: Place) -> str:
    return f"watermarks/{place.path}.json"


def _watermark_json(until: datetime, since: datetime | None, problem: str | None) -> bytes:
    return json.dumps(
        {"until": stamp(until), "since": stamp(since) if since else None, "problem": problem}, indent=1
    ).encode()
