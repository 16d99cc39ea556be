"""What comes in at the doors: events, alerts and commands become inbox items and looks; nothing is lost.

Everything is written to the inbox first and queued second, under an id made from what was sent: a repeated delivery
finds its item and queues a look again, which does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cloud.errors import CloudError
from policy.match import alert_action, places
from rollout import alerts, commands, events
from rollout.bad_input import BadInput
from rollout.codec import stamp
from rollout.context import DRIFT_WORK, ROLLOUT_WORK, Context
from rollout.inbox import read_inbox
from rollout.place import Place, place_of
from rollout.reconcile import acting, find, look
from rollout.record import Record
from rollout.routing import concerned_by
from rollout.view import detail

UNMATCHED = "unmatched"
"""The inbox of alerts that name no endpoint of ours."""
BAD_INPUT = "inbox-bad"
EARLIER = 10
"""How many finished rollouts of an endpoint its door lists."""
READERS = 16
"""Records read at a time where all are wanted: one read waits for storage most of its time."""
SHOWN = 20
"""How many unmatched alerts the page shows."""


@dataclass(frozen=True)
class Answer:
    """What a door says: an HTTP status and a JSON body."""

    status: int
    body: dict[str, Any] | list[dict[str, Any]]


def item_id(*parts: str) -> str:
    """A blob name's worth of id for what was sent: equal for equal parts."""
    return sha256("\n".join(parts).encode()).hexdigest()[:24]


def keep_bad(context: Context, raw: bytes, error: BadInput) -> None:
    """Keep what could not be read, so that it can be looked at and sent again."""
    name = f"{context.clock():%Y%m%dT%H%M%SZ}-{context.new_id()}"
    context.blobs.write(BAD_INPUT, name, raw, metadata={"field": _ascii(error.field), "problem": _ascii(str(error))})


def take_event(context: Context, raw: bytes) -> list[Place]:
    """Queue the endpoints whose policy names the registered model. What cannot be read is kept, and is no error."""
    try:
        registered = events.parse(raw)
    except BadInput as error:
        keep_bad(context, raw, error)
        return []
    if registered is None:
        return []
    found = []
    for policy in context.policies.current().policies.values():
        for target, endpoint in places(policy, registered.model):
            place = place_of(policy, target, endpoint)
            if policy.model.registry is None and place.endpoint_id.startswith(f"{registered.workspace_id}/"):
                item = {"model": registered.model, "version": registered.version, "event": registered.id}
                registered_at(context, place, item_id("event", registered.id), item)
                found.append(place)
    return found


def registered_at(context: Context, place: Place, identity: str, item: Mapping[str, Any]) -> None:
    """Tell an endpoint that its model's versions changed."""
    full = {"kind": "registered", "at": stamp(context.clock()), **item, **place.message}
    context.store.put(place.key, identity, full)
    context.queues.send(ROLLOUT_WORK, place.message)


def take_alert(context: Context, raw: bytes) -> Answer:
    """Store the alert at every endpoint that it speaks of, act by policy, and answer within seconds."""
    try:
        alert = alerts.parse(raw)
    except BadInput as error:
        keep_bad(context, raw, error)
        return Answer(400, {"error": error.message, "field": error.field})
    identity = item_id("alert", alert.key)
    concerned = concerned_by(context, alert)
    if not concerned:
        context.policies.refresh()  # its policy may be newer than what this worker knows
        concerned = concerned_by(context, alert)
    if not concerned:
        item = {"kind": "alert", "rule": alert.rule, "alert_id": alert.alert_id, "at": stamp(context.clock())}
        context.store.put(UNMATCHED, identity, {**item, "raw": raw.decode(errors="replace")})
        return Answer(202, {"matched": [], "message": "stored; it names no endpoint of a policy"})
    matched, urgent = [], []
    for place, policy in concerned.items():
        action = alert_action(policy.at(place.target), alert.rule, alert.condition) or "ignore"
        _store_alert(context, place, identity, alert, action)
        matched.append({**place.message, "action": action})
        if action == "rollback":
            urgent.append(place)
    _look_at_once(context, urgent)
    return Answer(202, {"matched": matched})


def _store_alert(context: Context, place: Place, identity: str, alert: alerts.Alert, action: str) -> None:
    context.store.put(
        place.key,
        identity,
        {
            "kind": "alert",
            "rule": alert.rule,
            "alert_id": alert.alert_id,
            "fired": alert.fired,
            "severity": alert.severity,
            "action": action,
            "sent": alert.at,
            "at": stamp(context.clock()),
            **place.message,
        },
    )
    context.queues.send(ROLLOUT_WORK, place.message)
    if action == "retrain":
        context.queues.send(DRIFT_WORK, {**place.message, "retrain": f"{alert.rule} {alert.key}"})


def _look_at_once(context: Context, urgent: list[Place]) -> None:
    """Try the rollback now, for as long as the webhook may take; the queued look does what is left."""
    if not urgent:
        return
    pool = ThreadPoolExecutor(max_workers=min(len(urgent), 8), thread_name_prefix="alert")
    budget = context.alert_budget
    looks = [pool.submit(look, context, p.policy, p.target, p.endpoint, quick=True, patience=budget) for p in urgent]
    deadline = context.clock() + context.alert_budget
    for one in looks:
        left = (deadline - context.clock()).total_seconds()
        try:
            one.result(timeout=max(left, 0.0))
        except (TookTooLong, CloudError):
            continue  # the alert is in the inbox and a look is queued
    pool.shutdown(wait=False)


def take_command(
    context: Context, policy: str, target: str, endpoint: str, action: str, raw: bytes, who: str
) -> Answer:
    """Accept or refuse a command, with the reason; the same id is answered the same again."""
    place = _place(context, policy, target, endpoint)
    if place is None:
        return Answer(404, {"error": f"no policy in force has {policy}/{target}/{endpoint}"})
    try:
        command = commands.parse(action, raw)
    except BadInput as error:
        keep_bad(context, raw, error)
        return Answer(400, {"error": error.message, "field": error.field})
    kept = context.store.load(place.policy, place.target, place.endpoint)
    refused = commands.refusal(kept.record if kept else None, command)
    stored = context.store.put(
        place.key,
        item_id("command", command.id),
        {
            "kind": "command",
            "command": command.id,
            "action": action,
            "reason": command.reason,
            "version": command.version,
            "who": who,
            "refused": refused,
            "at": stamp(context.clock()),
            **place.message,
        },
    )
    if stored["action"] != action:
        return Answer(409, {"error": f"id {command.id!r} was used for `{stored['action']}` before; give a new one"})
    if stored["refused"] is not None:
        return Answer(409, {"id": command.id, "error": stored["refused"]})
    context.queues.send(ROLLOUT_WORK, place.message)
    note = commands.note(kept.record if kept else None, command)
    told = {"note": note} if note else {}
    return Answer(202, {"id": command.id, "action": action, "accepted": True, **told, **place.message})


def _place(context: Context, policy: str, target: str, endpoint: str) -> Place | None:
    """The place a command names: of a policy in force, or of a rollout in flight whose policy is not."""
    found = find(context.policies.current(), policy, target, endpoint)
    if found is not None:
        return found[0]
    wanted = (policy, target, endpoint.lower())
    for _, places_of_it in acting(context):
        for place in places_of_it:
            if (place.policy, place.target, place.endpoint) == wanted:
                return place
    return None


def queue_due(context: Context) -> int:
    """Queue every rollout in flight that is due; how many that were."""
    now, count = context.clock(), 0
    for one in context.store.listings():
        if one.next_look is not None and one.next_look <= now:
            context.queues.send(ROLLOUT_WORK, {"policy": one.policy, "target": one.target, "endpoint": one.endpoint})
            count += 1
    return count


def all_records(context: Context) -> list[Record]:
    """Every endpoint's record, in the order of their names."""
    with ThreadPoolExecutor(max_workers=READERS, thread_name_prefix="records") as pool:
        kept = pool.map(lambda one: context.store.load(one.policy, one.target, one.endpoint), context.store.listings())
        return [one.record for one in kept if one is not None]


def one_record(context: Context, policy: str, target: str, endpoint: str) -> Answer:
    """One endpoint's rollout, with its history, and what was asked for that no look has taken in yet."""
    kept = context.store.load(policy, target, endpoint.lower())
    place = _place(context, policy, target, endpoint)
    record = kept.record if kept is not None else None
    unread = list(read_inbox(context.store, place, record).asked) if place is not None else []
    if record is None:
        return Answer(404, {"error": f"there never was a rollout at {policy}/{target}/{endpoint}", "unread": unread})
    if record.wish is not None:
        unread.append(record.wish.cause)
    return Answer(200, detail(record, unread) | {"earlier": context.store.earlier(record, EARLIER)})


def unmatched(context: Context) -> list[dict[str, Any]]:
    """The newest alerts that named no endpoint of ours."""
    return context.store.newest(UNMATCHED, SHOWN)


def _ascii(text: str) -> str:
    """Metadata travels in HTTP headers: printable ASCII, not too long."""
    return "".join(c if 32 <= ord(c) < 127 else "?" for c in text)[:512]
