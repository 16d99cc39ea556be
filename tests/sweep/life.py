"""One life of the app's process: what its doors do for one endpoint, until all is over or it is killed.

The order that it lives by:

    {"life": "3", "place": ["policy", "target", "endpoint"], "endpoint_id": "/subscriptions/...",
     "kill": {"call": 12, "after": true, "stage": "", "died_in": []}, "alert": "", "approve": "",
     "ends": ["2", "done"], "seconds": 60}

Discovery, every look that is due, every message that asks for events to be sent, an alert in the canary and an
approval, both sent again until they were answered, as their senders do. It ends when the rollout of the last version
is over, nothing is left to look at and every event was sent. It leaves its calls in `<life>.calls`, or the call where
it was killed in `<life>.died`.
"""

from __future__ import annotations

import json
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.sweep.calls import Novelty, Point, Watch

if TYPE_CHECKING:
    from rollout.context import Context
    from rollout.record import Record

LOOK_SECONDS = 0.03
DISCOVER_SECONDS = 0.5
OUT_OF_TIME = 3
NEVER = timedelta(minutes=1)
"""A look that is due later than this is not waited for."""
MESSAGE_SECONDS = 1
"""When the message of a function that died is there again."""


def live(order: dict[str, Any], folder: Path) -> int:
    """One life; its exit status."""
    import function_app
    from rollout.discover import discover
    from rollout.reconcile import look

    context = function_app.context()
    kept = context.store.load(*order["place"])
    watch = Watch(_kill_at(order["kill"]), folder / f"{order['life']}.died")
    if kept is not None:
        watch.see(kept.record)
    until, discovered, looks = time.monotonic() + order["seconds"], 0.0, list[str]()
    while (began := time.monotonic()) < until:
        if began - discovered > DISCOVER_SECONDS:
            discover(context)
            discovered = began = time.monotonic()
        record = look(context, *order["place"]).record
        if record is not None:
            looks.append(f"{watch.phase} {time.monotonic() - began:.4f}")
            watch.see(record)
            _told(order, folder, record)
        all_sent = _published(context, order, watch)
        if record is not None:
            over = record.next_look is None or record.next_look > context.clock() + NEVER
            if [record.version, record.phase.value] == order["ends"] and over and all_sent:
                (folder / f"{order['life']}.calls").write_text("\n".join(watch.calls))
                (folder / f"{order['life']}.looks").write_text("\n".join(looks))
                return 0
        due = LOOK_SECONDS
        if record is not None and record.next_look is not None:
            due = (record.next_look - context.clock()).total_seconds()
        time.sleep(min(max(due, LOOK_SECONDS), DISCOVER_SECONDS))
    return OUT_OF_TIME


def _kill_at(raw: dict[str, Any] | None) -> Point | Novelty | None:
    if raw is None:
        return None
    if "died_at" in raw:
        return Novelty(frozenset(raw["died_at"]))
    return Point(raw["call"], raw["after"], raw["stage"], frozenset(raw["died_in"]))


def _told(order: dict[str, Any], folder: Path, record: Record) -> None:
    """Send the alert or the approval that is due, unless it was answered in this life or an earlier one."""
    import azure.functions as func

    import function_app

    answered = folder / f"{order['place'][2]}.answered"
    if answered.exists():
        return
    if order["alert"] and record.phase.value == "canary":
        request = func.HttpRequest("POST", "http://localhost/api/alerts", body=order["alert"].encode())
        answer = function_app.on_alert(request)
    elif order["approve"] == record.version and record.phase.value == "awaiting_approval":
        route = dict(zip(("policy", "target", "endpoint"), order["place"], strict=True)) | {"action": "approve"}
        body = json.dumps({"id": "the-approval", "reason": "looks good"}).encode()
        request = func.HttpRequest("POST", "http://localhost/api/rollouts", body=body, route_params=route)
        answer = function_app.command_rollout(request)
    else:
        return
    if answer.status_code == 202:
        answered.touch()


def _published(context: Context, order: dict[str, Any], watch: Watch) -> bool:
    """Run the publisher for the messages that ask for it, as the host does; whether nothing was left to be sent.

    A message is deleted when its run is over, and comes back when the process died in it.
    """
    import azure.functions as func
    from azure.core.exceptions import ResourceNotFoundError
    from azure.storage.queue import QueueClient, TextBase64DecodePolicy

    import function_app
    from rollout.context import EVENT_WORK
    from rollout.names import endpoint_hash
    from rollout.store import OUTBOX

    key = endpoint_hash(order["endpoint_id"])
    with watch.not_counting():
        if not list(context.blobs.list(OUTBOX, f"{key}/")):
            return True
        queue = QueueClient.from_connection_string(
            os.environ["AZURE_STORAGE_CONNECTION_STRING"], EVENT_WORK, message_decode_policy=TextBase64DecodePolicy()
        )
        try:
            messages = list(queue.receive_messages(visibility_timeout=MESSAGE_SECONDS))
        except ResourceNotFoundError:
            return False
    for message in messages:
        if json.loads(message.content)["key"] == key:  # what an earlier story left is none of this life's
            with watch.publishing():
                function_app.publish_events(func.QueueMessage(id=message.id, body=message.content))
        with watch.not_counting():
            queue.delete_message(message)
    return False
