"""The journal's lines in the history: blocks of gzipped JSON lines, appended to one blob for each rollout.

    history/<policy>/<target>/<endpoint>/<n>.looks.jsonl.gz

Lines are appended at the place where the record says that they go, so that a worker which died between the append and
the record's write does not write them twice. Whatever else may have happened there, a line tells its number and a
reader takes it once.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from cloud.blobs import Blobs
from cloud.errors import CloudError, Conflict, NotFound
from rollout.record import Record, to_json

HISTORY = "history"


def flushed(blobs: Blobs, record: Record) -> Record:
    """The record with the lines that waited in it moved to the history; where that cannot be done now, as it is."""
    journal = record.journal
    if not journal.pending:
        return record
    block = block_of(journal.pending)
    with suppress(CloudError):
        size = _appended(blobs, _name(record), block, journal.size)
        return replace(record, journal=replace(journal, size=size, pending=()))
    return record


def archived(blobs: Blobs, record: Record) -> bytes:
    """A finished rollout for the history: the record, and every look's line under `looks`."""
    whole = {key: value for key, value in to_json(record).items() if key != "journal"}
    if record.journal.began:
        whole["began_with"] = record.journal.began
    stored = blobs.read(HISTORY, _name(record)) if record.journal.size else None
    looks = [*(_readable(stored.data) if stored else ()), *record.journal.pending]
    return json.dumps(whole | {"looks": looks}, ensure_ascii=False).encode()


def block_of(lines: tuple[Mapping[str, Any], ...]) -> bytes:
    """The lines as they are appended: the same lines are the same bytes."""
    text = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)
    return gzip.compress(text.encode(), mtime=0)


def lines_of(data: bytes) -> list[Any]:
    """The lines of a looks blob as they were written; ValueError when they cannot be read."""
    try:
        return [json.loads(line) for line in gzip.decompress(data).splitlines()]
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"no gzip: {error}") from error


def _readable(data: bytes) -> list[Any]:
    """The lines, or none of a blob that somebody damaged: the blob stays, and no rollout waits for its mending."""
    try:
        return lines_of(data)
    except ValueError:
        return []


def _appended(blobs: Blobs, name: str, block: bytes, position: int) -> int:
    """The size of the blob with the block at its end."""
    try:
        return blobs.append(HISTORY, name, block, position=position)
    except NotFound:  # somebody deleted it
        return blobs.append(HISTORY, name, block, position=0)
    except Conflict:
        size = blobs.size(HISTORY, name) or 0
        return size if size == position + len(block) else blobs.append(HISTORY, name, block, position=size)


def _name(record: Record) -> str:
    return f"{record.policy}/{record.target}/{record.endpoint}/{record.number}.looks.jsonl.gz"
