"""One window of one endpoint into the data set: read, pair, write, and only then move the watermark."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from cloud.blobs import Blobs
from cloud.errors import Permanent, Temporary
from cloud.logs import Logs
from export.answers import answer
from export.lines import Line, Record, Unreadable, parse
from export.pairs import Paired, Problem, pair, shown
from export.store import (
    DATA,
    STATE,
    Place,
    Watermark,
    advance,
    file_name,
    json_lines,
    keep_once,
    packed,
    state_name,
    unpacked,
)
from export.windows import Window, stamp


def export_window(
    blobs: Blobs, logs: Logs, place: Place, endpoint_id: str, workspace_id: str, watermark: Watermark, window: Window
) -> Watermark:
    """Export the window that starts at the watermark and return the watermark at its end.

    Harmless to repeat. Conflict when another worker was faster; nothing is lost or doubled then. Permanent when the
    lines cannot be asked for or written until somebody changes something.
    """
    lines = answer(blobs, logs, place, endpoint_id, workspace_id, window)
    with _said(window):
        records, problems = _parsed(lines)
        paired = pair([*_left_waiting(blobs, place, watermark), *records], window.until)
        mended = Counter(record.deployment for record in records if record.mended)
        _write(blobs, place, window, paired, [*problems, *paired.problems], mended)
        keep_once(blobs, STATE, state_name(place, window, "waiting"), packed(shown(one) for one in paired.waiting))
    moved = advance(blobs, place, watermark, window)
    blobs.delete(STATE, state_name(place, window, "answer"))
    if watermark.last is not None:
        blobs.delete(STATE, state_name(place, watermark.last, "waiting"))
    return moved


@contextmanager
def _said(window: Window) -> Iterator[None]:
    """Data that cannot be written becomes a problem that people see, not a message that nobody can work off."""
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, ValueError) as error:
        raise Permanent(f"window {window.name} cannot be written: {type(error).__name__}: {error}") from error


def _parsed(lines: Sequence[Line]) -> tuple[list[Record], list[Problem]]:
    records: list[Record] = []
    problems: list[Problem] = []
    for line in lines:
        try:
            records.append(parse(line))
        except Unreadable as error:
            kept = {
                "time": stamp(line.time),
                "ingested": stamp(line.ingested),
                "instance": line.instance,
                "message": line.message,
            }
            problems.append(Problem(line.deployment, str(error), kept))
    return records, problems


def _left_waiting(blobs: Blobs, place: Place, watermark: Watermark) -> list[Record]:
    """Halves that the window before could not pair."""
    if watermark.last is None:
        return []
    stored = blobs.read(STATE, state_name(place, watermark.last, "waiting"))
    if stored is None:  # it is deleted only when the watermark has moved on
        raise Temporary(f"the window after {watermark.last.name} of {place.path} is being finished elsewhere")
    return [_record(item) for item in unpacked(stored.data)]


def _record(item: dict[str, Any]) -> Record:
    return Record(
        kind=item["type"],
        deployment=item["deployment"],
        request_id=item["request_id"],
        service=item["service_name"],
        time=datetime.fromisoformat(item["time"]),
        ingested=datetime.fromisoformat(item["ingested"]),
        values=tuple(item["data"]),
        part=item["part"],
        parts=item["parts"],
    )


def _write(
    blobs: Blobs,
    place: Place,
    window: Window,
    paired: Paired,
    problems: Sequence[Problem],
    mended: Mapping[str, int],
) -> None:
    """Each deployment's files; the summary last, so that where it is the others are too."""
    from export.parquet import encode

    found = {row["deployment"] for row in paired.rows} | {one.deployment for one in problems} | mended.keys()
    for deployment in sorted(found):
        rows = [row for row in paired.rows if row["deployment"] == deployment]
        unreadable = [{"reason": one.reason, **one.line} for one in problems if one.deployment == deployment]
        if rows:
            keep_once(blobs, DATA, file_name(place, deployment, window, "parquet"), encode(rows))
        if unreadable:
            keep_once(blobs, DATA, file_name(place, deployment, window, "unreadable.jsonl"), json_lines(unreadable))
        counts = {
            "unreadable": len(unreadable),
            "unpaired": sum(one.deployment == deployment for one in paired.waiting),
            "mended": mended.get(deployment, 0),
        }
        summary = json.dumps(_summary(window, rows, counts), indent=1).encode()
        keep_once(blobs, DATA, file_name(place, deployment, window, "summary"), summary)


def _summary(window: Window, rows: Sequence[dict[str, Any]], counts: Mapping[str, int]) -> dict[str, Any]:
    """`mended` counts the window's lines whose lone surrogates were spelled out, wherever their rows ended."""
    times = [row["time"] for row in rows]
    return {
        "since": stamp(window.since),
        "until": stamp(window.until),
        "rows": len(rows),
        "requests": len({row["request_id"] for row in rows}),
        **counts,
        "first_time": stamp(min(times)) if times else None,
        "last_time": stamp(max(times)) if times else None,
    }
