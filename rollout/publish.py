"""Events from the outbox to the sinks, in order, apart from every rollout: no sink's outage is ever waited for.

    outbox/<endpoint hash>/<start>-<n>-<sequence>.json    events, deleted when every sink has them
    state/outbox/<endpoint hash>.json             how far each sink is, and when it is tried again

At least once: a worker that dies after it sent and before it noted that sends again, under the same id. A sink that
fails is tried again, later and later; after a day it is given up for that event, and the rollout's history says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from cloud.blobs import Blobs
from cloud.errors import CloudError
from cloud.queues import Queues
from rollout.codec import decoded, encoded, stamp
from rollout.context import EVENT_WORK, ROLLOUT_WORK
from rollout.intake import item_id
from rollout.record import Event
from rollout.sinks import Sink, takes
from rollout.store import LOCKS, OUTBOX, Store

AT_ONCE = 500
"""Events that one run looks at; a rollout has some tens. The next run sends the others."""
GIVEN_UP_AFTER = timedelta(days=1)
FIRST_RETRY, LONGEST_RETRY = timedelta(seconds=15), timedelta(minutes=30)
TAKEN_AGAIN_SECONDS = 2.0


class Office(Protocol):
    """What publishing needs of the wing's context."""

    @property
    def blobs(self) -> Blobs:
        """The app's storage."""

    @property
    def queues(self) -> Queues:
        """Its queues."""

    @property
    def store(self) -> Store:
        """Records and inboxes."""

    @property
    def sinks(self) -> tuple[Sink, ...]:
        """Where events go."""

    @property
    def clock(self) -> Callable[[], datetime]:
        """The time."""


@dataclass(frozen=True)
class Reached:
    """How far one sink is: the last event that it has (a blob's name), and how its trouble stands."""

    sent: str = ""
    failures: int = 0
    after: datetime | None = None
    """Not before this time is it tried again."""
    problem: str = ""


@dataclass(frozen=True)
class State:
    """How far each sink is, by its name."""

    sinks: Mapping[str, Reached]


Waiting = Sequence[tuple[str, Event]]


def publish(context: Office, work: Mapping[str, str]) -> str:
    """Send what waits for an endpoint to every sink; what happened, in words. One run at a time for an endpoint.

    `work` is the message of the queue: the rollout's names, and the endpoint's key in blob names.
    """
    lease = context.blobs.lease(LOCKS, f"{work['key']}.outbox")
    if lease is None:
        context.queues.send(EVENT_WORK, work, delay=TAKEN_AGAIN_SECONDS)
        return "its events are being sent already"
    try:
        return _published(context, work)
    finally:
        with suppress(CloudError):  # a lease that cannot be given back runs out by itself
            lease.release()


def _published(context: Office, work: Mapping[str, str]) -> str:
    waiting = _waiting(context, work)
    if not waiting:
        return "nothing to send"
    name = f"outbox/{work['key']}.json"
    stored = context.blobs.read("state", name)
    before = decoded(State, json.loads(stored.data)).sinks if stored else {}
    reached = {
        sink.name: _sent(context, work, sink, before.get(sink.name, Reached()), waiting) for sink in context.sinks
    }
    context.blobs.write("state", name, json.dumps(encoded(State(reached))).encode())
    done = min((one.sent for one in reached.values()), default=waiting[-1][0])
    for blob, _ in waiting:
        if blob <= done:
            context.blobs.delete(OUTBOX, blob)
    left = [one for one in reached.values() if one.sent < waiting[-1][0]]
    if left or len(waiting) == AT_ONCE:
        now = context.clock()
        delay = min((one.after - now for one in left if one.after is not None), default=timedelta())
        context.queues.send(EVENT_WORK, work, delay=max(delay.total_seconds(), 0.0))
    return "; ".join(one.problem for one in left) or f"{len(waiting)} events sent"


def _waiting(context: Office, work: Mapping[str, str]) -> Waiting:
    """(blob, event) of what waits, in order."""
    found = list[tuple[str, Event]]()
    for blob in context.blobs.list(OUTBOX, f"{work['key']}/"):
        stored = context.blobs.read(OUTBOX, blob.name)
        if stored is not None:
            found.append((blob.name, decoded(Event, json.loads(stored.data))))
        if len(found) == AT_ONCE:
            break
    return found


def _sent(context: Office, work: Mapping[str, str], sink: Sink, reached: Reached, waiting: Waiting) -> Reached:
    """How far the sink is after it was sent what it has not got yet, up to the first that it does not take."""
    lost = list[str]()
    for blob, event in waiting:
        now = context.clock()
        if blob <= reached.sent:
            continue
        if not takes(sink, event):
            reached = replace(reached, sent=blob)
            continue
        if now - event.at > GIVEN_UP_AFTER:
            lost.append(event.id)
            reached = replace(reached, sent=blob)
            continue
        if reached.after is not None and now < reached.after:
            break
        try:
            sink.send(event)
        except CloudError as error:
            wait = min(FIRST_RETRY * 2 ** min(reached.failures, 10), LONGEST_RETRY)
            reached = replace(reached, failures=reached.failures + 1, after=now + wait, problem=str(error))
            break
        reached = Reached(sent=blob)
    if lost:
        text = f"{len(lost)} events were not taken by {sink.name} for a day and are given up"
        _tell(context, work, f"{text}: {lost[0]} to {lost[-1]} ({reached.problem or 'it was never tried'})")
    return reached


def _tell(context: Office, work: Mapping[str, str], text: str) -> None:
    """A line for the rollout's history, by way of the inbox."""
    names = {key: work[key] for key in ("policy", "target", "endpoint")}
    item = {"kind": "notice", "text": text, "at": stamp(context.clock()), **names}
    context.store.put(work["key"], item_id("notice", text), item)
    context.queues.send(ROLLOUT_WORK, names)
