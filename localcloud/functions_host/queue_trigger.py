"""Storage queue functions: batches, dequeue counts, renewal of long runs, and the poison queue.

While a function runs, its message is hidden for a short time and renewed. So a host that is killed loses nothing: the
message comes back as soon as the last renewal runs out.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from datetime import datetime
from typing import TYPE_CHECKING

from localcloud.functions_host import trigger_data
from localcloud.functions_host.connection import Storage
from localcloud.functions_host.functions import Function
from localcloud.functions_host.invocation import InvocationFailed, Invoker
from localcloud.functions_host.options import Options

if TYPE_CHECKING:
    from azure.storage.queue import QueueMessage

_LOG = logging.getLogger("host")
#: Azure's host hides a running message for 10 minutes; here a killed host must be made good within seconds.
LEASE_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 0.05
#: The longest pause between two looks at an empty queue, whatever host.json allows: Azure's minute is a demo's length.
_LONGEST_PAUSE_SECONDS = 0.5
_POISON = "-poison"


class QueueTrigger:
    """The listener of one queue function."""

    def __init__(self, function: Function, invoker: Invoker, storage: Storage, options: Options) -> None:
        self._function, self._invoker, self._storage, self._options = function, invoker, storage, options
        self._queue: str = function.settings["queueName"]
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """Receive and run until cancelled. Runs under way are not cancelled with it."""
        longest = min(self._options.max_polling_interval.total_seconds(), _LONGEST_PAUSE_SECONDS)
        pause = _FIRST_PAUSE_SECONDS
        while True:
            if len(self._tasks) > self._options.new_batch_threshold:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                continue
            messages = await self._receive()
            for message in messages:
                task = asyncio.create_task(self._process(message))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            pause = _FIRST_PAUSE_SECONDS if messages else min(pause * 1.5, longest)
            if not messages:
                await asyncio.sleep(pause)

    async def drain(self) -> None:
        """Wait until every message received is run and settled."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _receive(self) -> list[QueueMessage]:
        try:
            return await self._storage.receive(self._queue, self._options.batch_size, hidden_seconds=LEASE_SECONDS)
        except Exception as error:
            _LOG.warning("queue %s cannot be read, trying again: %s", self._queue, str(error).splitlines()[0])
            await asyncio.sleep(_LONGEST_PAUSE_SECONDS)
            return []

    async def _process(self, message: QueueMessage) -> None:
        try:
            await self._handle(message)
        except Exception as error:
            # The message is still hidden and comes back by itself.
            _LOG.warning("queue %s, message %s: %s", self._queue, message.id, str(error).splitlines()[0])

    async def _handle(self, message: QueueMessage) -> None:
        count = message.dequeue_count or 1
        if count > self._options.max_dequeue_count:
            return await self._poison(message)  # counted up by hosts that died while running it
        try:
            text = self._decode(message.content)
        except ValueError:
            _LOG.error("queue %s, message %s is not base64", self._queue, message.id)
            return await self._poison(message)
        lease = _Lease(self._storage, self._queue, message)
        renewing = asyncio.create_task(lease.keep())
        try:
            data = trigger_data.decode(self._function, text, kind="string", metadata=_metadata(message))
            await self._invoker.run(self._function, data, reason=f"queue {self._queue}, try {count}")
            succeeded = True
        except InvocationFailed:
            succeeded = False
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])
        if succeeded:
            return await self._storage.delete(self._queue, lease.message)
        if count >= self._options.max_dequeue_count:
            return await self._poison(lease.message)
        await self._storage.hide(self._queue, lease.message, self._options.visibility_timeout.total_seconds())
        return None

    def _decode(self, content: str) -> str:
        if not self._options.base64:
            return content
        try:
            return base64.b64decode(content, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ValueError(str(error)) from error

    async def _poison(self, message: QueueMessage) -> None:
        if not self._queue.endswith(_POISON):
            await self._storage.send(f"{self._queue}{_POISON}", message.content)
            _LOG.error("queue %s, message %s went to %s%s", self._queue, message.id, self._queue, _POISON)
        await self._storage.delete(self._queue, message)


class _Lease:
    """Keeps one message hidden while it is worked on; `message` carries the newest pop receipt."""

    def __init__(self, storage: Storage, queue: str, message: QueueMessage) -> None:
        self.message = message
        self._storage, self._queue = storage, queue

    async def keep(self) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            # Shielded: a renewal cut short would leave us with a pop receipt that is no longer valid.
            renewal = asyncio.ensure_future(self._storage.hide(self._queue, self.message, LEASE_SECONDS))
            try:
                self.message = await asyncio.shield(renewal)
            except asyncio.CancelledError:
                self.message = await renewal
                raise
            except Exception as error:
                _LOG.warning("queue %s, message %s: renewal failed: %s", self._queue, self.message.id, error)


def _metadata(message: QueueMessage) -> dict[str, tuple[str, str]]:
    """Texts for the ids, JSON for the rest, as on the wire (facts/functions.md, section 4)."""

    def moment(value: datetime | None) -> tuple[str, str]:
        return (f'"{value:%Y-%m-%dT%H:%M:%S+00:00}"' if value else '""'), "json"

    return {
        "Id": (message.id, "string"),
        "PopReceipt": (message.pop_receipt or "", "string"),
        "DequeueCount": (str(message.dequeue_count or 1), "json"),
        "InsertionTime": moment(message.inserted_on),
        "ExpirationTime": moment(message.expires_on),
        "NextVisibleTime": moment(message.next_visible_on),
    }
