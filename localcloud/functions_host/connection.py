"""The host's own storage (a binding's `connection`): by connection string, or by URI and managed identity."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient
    from azure.storage.queue import QueueClient, QueueMessage, QueueServiceClient

_THREADS = 16
_T = TypeVar("_T")


class Storage:
    """One connection. The synchronous SDK runs in threads of its own, so that functions never wait for the host."""

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        """ValueError when the settings of the connection are missing."""
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"storage-{name}")
        self._blobs, self._queues = _clients(name, environment)

    async def read_blob(self, container: str, name: str) -> bytes | None:
        """None when there is no such blob."""
        from azure.core.exceptions import ResourceNotFoundError

        def read() -> bytes | None:
            try:
                return self._blobs.get_blob_client(container, name).download_blob().readall()
            except ResourceNotFoundError:
                return None

        return await self._run(read)

    async def write_blob(self, container: str, name: str, data: bytes) -> None:
        """Over whatever was there; the container is made on first need."""
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        def write() -> None:
            blob = self._blobs.get_blob_client(container, name)
            try:
                blob.upload_blob(data, overwrite=True)
            except ResourceNotFoundError:
                with suppress(ResourceExistsError):
                    self._blobs.create_container(container)
                blob.upload_blob(data, overwrite=True)

        await self._run(write)

    async def receive(self, queue: str, count: int, *, hidden_seconds: float) -> list[QueueMessage]:
        """At most `count` messages, hidden from others for so long; none when there is no such queue."""
        from azure.core.exceptions import ResourceNotFoundError

        def receive() -> list[QueueMessage]:
            pages = self._queue(queue).receive_messages(
                messages_per_page=count, visibility_timeout=int(hidden_seconds), max_messages=count
            )
            try:
                return list(pages)
            except ResourceNotFoundError:
                return []

        return await self._run(receive)

    async def hide(self, queue: str, message: QueueMessage, seconds: float) -> QueueMessage:
        """Hide it for so long from now; what comes back carries the new pop receipt."""

        def hide() -> QueueMessage:
            updated = self._queue(queue).update_message(message, visibility_timeout=int(seconds))
            updated.content = message.content  # the service's answer has no content
            return updated

        return await self._run(hide)

    async def delete(self, queue: str, message: QueueMessage) -> None:
        """Done with it."""
        await self._run(lambda: self._queue(queue).delete_message(message))

    async def send(self, queue: str, content: str) -> None:
        """Put a message as it is; the queue is made on first need."""
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        def send() -> None:
            client = self._queue(queue)
            try:
                client.send_message(content)
            except ResourceNotFoundError:
                with suppress(ResourceExistsError):
                    client.create_queue()
                client.send_message(content)

        await self._run(send)

    def close(self) -> None:
        """Wait for nothing; calls under way end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _queue(self, name: str) -> QueueClient:
        return self._queues.get_queue_client(name)

    async def _run(self, call: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)


def _clients(name: str, environment: Mapping[str, str]) -> tuple[BlobServiceClient, QueueServiceClient]:
    from azure.storage.blob import BlobServiceClient
    from azure.storage.queue import QueueServiceClient

    if text := environment.get(name):
        return BlobServiceClient.from_connection_string(text), QueueServiceClient.from_connection_string(text)
    try:
        blob_uri, queue_uri = environment[f"{name}__blobServiceUri"], environment[f"{name}__queueServiceUri"]
    except KeyError as missing:
        raise ValueError(f"The connection '{name}' has neither a connection string nor {missing}.") from None
    from azure.identity import ManagedIdentityCredential

    credential = ManagedIdentityCredential(client_id=environment.get(f"{name}__clientId"))
    return BlobServiceClient(blob_uri, credential), QueueServiceClient(queue_uri, credential)
