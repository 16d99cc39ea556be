"""May the app use its own storage? Tried, since rights on data are not in the list of rights."""

from __future__ import annotations

import json

from cloud.access import Caller
from cloud.errors import CloudError
from rollout.context import Context
from rollout.doctor import mend
from rollout.doctor.finding import Check, bad, good

STATE = "state"
QUEUE = "understudy-doctor"
"""A queue of its own: a message in one of the app's would be worked on."""


def blobs(context: Context, blob_url: str, caller_mend: str) -> tuple[Check, ...]:
    """List policies, and write, read and delete a blob."""
    name, probe = "storage: blobs", f"doctor/{context.new_id()}.json"
    try:
        policies = len([one for one in context.blobs.list("policies") if one.name.endswith(".yaml")])
        context.blobs.write(STATE, probe, json.dumps({"by": "doctor"}).encode())
        stored = context.blobs.read(STATE, probe)
        context.blobs.delete(STATE, probe)
    except CloudError as error:
        return (bad(name, str(error), caller_mend),)
    if stored is None:
        return (bad(name, f"a blob that was written to {STATE}/ could not be read", caller_mend),)
    return (good(name, f"{blob_url}: read and written; {policies} policies"),)


def queues(context: Context, queue_url: str, caller_mend: str) -> tuple[Check, ...]:
    """Send a message to a queue that is made for it and deleted again."""
    name = "storage: queues"
    try:
        context.queues.send(QUEUE, {"by": "doctor"})
        context.queues.remove(QUEUE)
    except CloudError as error:
        return (bad(name, str(error), caller_mend),)
    return (good(name, f"{queue_url}: a message was sent"),)


def mends(blob_url: str, caller: Caller) -> tuple[str, str]:
    """The commands for blobs and for queues."""
    account = mend.storage_account(blob_url)
    return mend.role(caller, mend.BLOBS, account), mend.role(caller, mend.QUEUES, account)
