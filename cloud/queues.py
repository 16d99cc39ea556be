"""Storage queues: one JSON object a message, base64 as the Functions queue trigger expects."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cloud.blobs import CONNECT_SECONDS, READ_SECONDS, RETRIES
from cloud.errors import mapped
from cloud.storage_package import without_aiohttp

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.storage.queue import QueueClient


class Queues:
    """Queues of one account (`url` is its queue endpoint). A queue is made when first written to."""

    def __init__(self, url: str, credential: TokenCredential) -> None:
        self._url, self._credential = url, credential
        self._clients: dict[str, QueueClient] = {}

    def send(self, queue: str, message: Mapping[str, Any], *, delay: float = 0.0) -> None:
        """Put one message; it becomes visible after `delay` seconds."""
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        text = json.dumps(message, separators=(",", ":"))
        with mapped(f"sending to queue {queue}"):
            client = self._client(queue)
            try:
                client.send_message(text, visibility_timeout=math.ceil(delay))
            except ResourceNotFoundError:
                with suppress(ResourceExistsError):  # made by another worker meanwhile
                    client.create_queue()
                client.send_message(text, visibility_timeout=math.ceil(delay))

    def remove(self, queue: str) -> None:
        """Delete a queue with all that is in it; nothing to delete is no error."""
        from azure.core.exceptions import ResourceNotFoundError

        with mapped(f"deleting queue {queue}"), suppress(ResourceNotFoundError):
            self._client(queue).delete_queue()

    def _client(self, queue: str) -> QueueClient:
        if queue not in self._clients:
            with without_aiohttp():
                from azure.storage.queue import QueueClient, TextBase64EncodePolicy

            self._clients[queue] = QueueClient(
                self._url,
                queue,
                credential=self._credential,
                message_encode_policy=TextBase64EncodePolicy(),
                connection_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                **RETRIES,
            )
        return self._clients[queue]
