"""One event, and how it looks in either delivery schema."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from localcloud.seams import Json

EVENT_GRID = "EventGridSchema"
CLOUD_EVENTS = "CloudEventSchemaV1_0"


def _now() -> str:
    """Event Grid writes seven fractional digits."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"


@dataclass(frozen=True)
class Event:
    """An event on a topic."""

    topic: str
    subject: str
    event_type: str
    data: Any
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    time: str = field(default_factory=_now)
    data_version: str = ""
    cloud_event: Json | None = None
    """The event as it was published, when it came in as a CloudEvent."""

    @property
    def words(self) -> str:
        """What a fault's `match` is searched in."""
        return f"{self.event_type} {self.subject}"

    def render(self, schema: str) -> Json:
        """The body of one event as a subscription of this `eventDeliverySchema` gets it."""
        if self.cloud_event is not None:
            return self.cloud_event
        if schema == CLOUD_EVENTS:
            return {
                "specversion": "1.0",
                "id": self.id,
                "source": self.topic,
                "type": self.event_type,
                "subject": self.subject,
                "time": self.time,
                "data": self.data,
            }
        return {
            "topic": self.topic,
            "subject": self.subject,
            "eventType": self.event_type,
            "eventTime": self.time,
            "id": self.id,
            "data": self.data,
            "dataVersion": self.data_version,
            "metadataVersion": "1",
        }
