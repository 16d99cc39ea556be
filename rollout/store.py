"""Where rollouts live: the record with its ETag, the history, the inbox and the lock, all blobs (docs: storage)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cloud.blobs import Blobs, Lease
from cloud.errors import Conflict
from rollout.codec import encoded, moment, stamp
from rollout.looks import HISTORY, archived, flushed
from rollout.place import Place
from rollout.record import Event, Record, from_json, to_json

ROLLOUTS, INBOX, OUTBOX, LOCKS = "rollouts", "inbox", "outbox", "locks"
LEASE_SECONDS = 60
JSON_TYPE = "application/json"


@dataclass(frozen=True)
class Kept:
    """A record as it was read, with the ETag to write it back with."""

    record: Record
    etag: str


@dataclass(frozen=True)
class Listing:
    """What a listing tells of a record without reading it."""

    policy: str
    target: str
    endpoint: str
    phase: str
    next_look: datetime | None
    live: str
    candidate: str


@dataclass(frozen=True)
class Unread:
    """(id, item) of what was not acted on yet, and when each item that is not older than the mark was made."""

    items: tuple[tuple[str, dict[str, Any]], ...]
    listed: Mapping[str, datetime]


class Store:
    """Records, history, inbox and locks of one storage account."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def load(self, policy: str, target: str, endpoint: str) -> Kept | None:
        """The record of an endpoint, or None when there never was a rollout."""
        stored = self._blobs.read(ROLLOUTS, _name(policy, target, endpoint))
        return None if stored is None else Kept(from_json(json.loads(stored.data)), stored.etag)

    def save(self, record: Record, etag: str | None) -> Kept:
        """Write the record; Conflict when somebody else wrote it since it was read (`etag` None: it is new)."""
        record = replace(record, writes=record.writes + 1)
        tag = self._blobs.write(
            ROLLOUTS,
            _name(record.policy, record.target, record.endpoint),
            json.dumps(to_json(record), ensure_ascii=False).encode(),
            etag=etag,
            absent=etag is None,
            metadata={
                "phase": record.phase.value,
                "next_look": stamp(record.due) if record.due else "",
                "live": record.live or "",
                "candidate": record.candidate,
            },
            content_type=JSON_TYPE,
        )
        return Kept(record, tag)

    def archive(self, record: Record) -> None:
        """Keep a finished rollout in the history, with its looks; doing it again changes nothing."""
        name = f"{record.policy}/{record.target}/{record.endpoint}/{record.number}.json"
        if self._blobs.size(HISTORY, name) is not None:
            return
        with suppress(Conflict):  # made meanwhile by somebody else
            self._blobs.write(
                HISTORY,
                name,
                archived(self._blobs, record),
                absent=True,
                metadata={
                    "kind": record.kind,
                    "version": record.version,
                    "candidate": record.candidate,
                    "phase": record.phase.value,
                    "started": stamp(record.started),
                    "ended": stamp(record.entered),
                },
                content_type=JSON_TYPE,
            )

    def earlier(self, record: Record, count: int) -> list[dict[str, Any]]:
        """The newest finished rollouts of the endpoint besides this one, newest first."""
        return [one for one in self._finished(record) if one["number"] != record.number][:count]

    def _finished(self, record: Record) -> list[dict[str, Any]]:
        """Every finished rollout of the endpoint, newest first, each with its logs, from one listing."""
        prefix = f"{record.policy}/{record.target}/{record.endpoint}/"
        found, logs = list[dict[str, Any]](), defaultdict[str, list[str]](list)
        for blob in self._blobs.list(HISTORY, prefix):
            number, _, kind = blob.name.removeprefix(prefix).partition(".")
            if kind == "json" and number.isdigit():
                found.append({"number": int(number), "blob": f"{HISTORY}/{blob.name}", **blob.metadata})
            elif kind.endswith(".log"):
                logs[number].append(f"{HISTORY}/{blob.name}")
        newest_first = sorted(found, key=lambda one: -int(one["number"]))
        return [{**one, "logs": logs[str(one["number"])]} for one in newest_first]

    def flushed(self, record: Record) -> Record:
        """The record with the lines of its journal moved to the history, or as it is where that fails."""
        return flushed(self._blobs, record)

    def archive_log(self, record: Record, deployment: str, text: str) -> None:
        """Keep the container log of a deployment that is about to be deleted, beside the rollout that made it.

        It may be deleted rollouts later. Before a rollout has asked for a deployment, one of its name is an earlier
        rollout's.
        """
        number = record.number
        if record.terminal or record.since is None:
            made = (one for one in self._finished(record) if one.get("candidate") == deployment)
            number = next((int(one["number"]) for one in made), number)
        name = f"{record.policy}/{record.target}/{record.endpoint}/{number}.{deployment}.log"
        self._blobs.write(HISTORY, name, text.encode(), content_type="text/plain; charset=utf-8")

    def listings(self) -> Iterator[Listing]:
        """Every record's whereabouts, from one listing of blob metadata (5,000 records a call)."""
        for blob in self._blobs.list(ROLLOUTS):
            parts = blob.name.removesuffix(".json").split("/")
            if len(parts) == 3:
                looked = blob.metadata.get("next_look", "")
                yield Listing(
                    policy=parts[0],
                    target=parts[1],
                    endpoint=parts[2],
                    phase=blob.metadata.get("phase", ""),
                    next_look=moment(looked) if looked else None,
                    live=blob.metadata.get("live", ""),
                    candidate=blob.metadata.get("candidate", ""),
                )

    def announce(self, place: Place, event: Event) -> None:
        """Put an event where the publisher takes it from, in order; doing it again changes nothing."""
        number, sequence = (int(part) for part in event.id.rsplit("/", 2)[1:])
        # By the rollout's start first: a policy that takes the endpoint over begins again with rollout number 1.
        started = f"{moment(str(event.data['started'])):%Y%m%dT%H%M%SZ}"
        data = json.dumps(encoded(event), ensure_ascii=False).encode()
        with suppress(Conflict):
            name = f"{place.key}/{started}-{number:06}-{sequence:06}.json"
            self._blobs.write(OUTBOX, name, data, absent=True, content_type=JSON_TYPE)

    def put(self, key: str, item_id: str, item: Mapping[str, Any]) -> dict[str, Any]:
        """Add an item to the inbox `key`; where its id is there already, the item that was there first."""
        data = json.dumps(dict(item), ensure_ascii=False).encode()
        name = f"{key}/{item_id}.json"
        try:
            self._blobs.write(INBOX, name, data, absent=True, content_type=JSON_TYPE)
        except Conflict:
            stored = self._blobs.read(INBOX, name)
            if stored is None:
                raise
            first: dict[str, Any] = json.loads(stored.data)
            return first
        return dict(item)

    def unread(self, place: Place, record: Record | None) -> Unread:
        """What the rollout has not acted on yet, oldest first by the service's clock."""
        mark = record.read_until if record else None
        listed = {
            _item_id(blob.name): blob.created
            for blob in self._blobs.list(INBOX, f"{place.key}/")
            if mark is None or blob.created >= mark
        }
        done = set(record.handled) if record else set[str]()
        found = list[tuple[str, dict[str, Any]]]()
        for _, identity in sorted((at, identity) for identity, at in listed.items() if identity not in done):
            stored = self._blobs.read(INBOX, f"{place.key}/{identity}.json")
            if stored is not None:
                found.append((identity, json.loads(stored.data)))
        return Unread(tuple(found), listed)

    def newest(self, key: str, count: int) -> list[dict[str, Any]]:
        """The newest items of the inbox `key`, newest first."""
        listed = sorted(((blob.created, blob.name) for blob in self._blobs.list(INBOX, f"{key}/")), reverse=True)
        read = (self._blobs.read(INBOX, name) for _, name in listed[:count])
        return [json.loads(stored.data) for stored in read if stored is not None]

    def lock(self, place: Place) -> Lease | None:
        """The endpoint's lease, or None while somebody else looks at it."""
        return self._blobs.lease(LOCKS, place.key, LEASE_SECONDS)


def _name(policy: str, target: str, endpoint: str) -> str:
    return f"{policy}/{target}/{endpoint}.json"


def _item_id(name: str) -> str:
    return name.rsplit("/", 1)[1].removesuffix(".json")
