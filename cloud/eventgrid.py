"""Events onto an Event Grid topic, as CloudEvents 1.0.

The topic takes the app's identity (role EventGrid Data Sender) or nobody: no access key is ever needed. No retry here:
who publishes tries again later, with the same id.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cloud.errors import mapped

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.eventgrid import EventGridPublisherClient

CONNECT_SECONDS, READ_SECONDS = 3, 10


class Topic:
    """One topic (`url` is its endpoint, https://TOPIC.REGION.eventgrid.azure.net/api/events)."""

    def __init__(self, url: str, credential: TokenCredential) -> None:
        self._url, self._credential = url, credential
        self._client: EventGridPublisherClient | None = None

    def publish(
        self,
        *,
        identity: str,
        source: str,
        kind: str,
        subject: str,
        at: datetime,
        data: Mapping[str, Any],
        extensions: Mapping[str, str],
    ) -> None:
        """Publish one event; Temporary or Permanent when the topic did not take it."""
        from azure.core.messaging import CloudEvent

        event = CloudEvent(
            source, kind, id=identity, time=at, subject=subject, data=dict(data), extensions=dict(extensions)
        )
        with mapped("publishing to the Event Grid topic"):
            self._service().send(event)

    def _service(self) -> EventGridPublisherClient:
        if self._client is None:
            from azure.eventgrid import EventGridPublisherClient

            self._client = EventGridPublisherClient(
                self._url,
                self._credential,
                connection_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                retry_total=0,
            )
        return self._client
