"""Where events go: an Event Grid topic, Application Insights, chats. Each takes one event, or raises CloudError.

A sink knows nothing of retries: the publisher (`rollout.publish`) tries again, in order, and gives up after a day.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cloud.eventgrid import Topic
from cloud.insights import Insights
from cloud.settings import SEVERITIES
from cloud.webhooks import Webhook
from rollout.codec import stamp
from rollout.measures import measures
from rollout.record import Event
from rollout.transitions import INFO

SOURCE = "/understudy"
LONGEST_PROPERTY = 8000
"""Characters; the exporter cuts a property of a custom event at 8,192."""


class Sink(Protocol):
    """Somewhere events go."""

    @property
    def name(self) -> str:
        """Its name in the history and in the publisher's state."""

    @property
    def severity(self) -> str:
        """The lowest severity that it takes."""

    def send(self, event: Event) -> None:
        """Send one event; CloudError when it was not accepted."""


def takes(sink: Sink, event: Event) -> bool:
    """Whether the event is severe enough for the sink."""
    return SEVERITIES.index(event.severity) >= SEVERITIES.index(sink.severity)


def subject(event: Event) -> str:
    """The rollout that the event is about."""
    return f"rollouts/{event.id.rsplit('/', 2)[0]}"


@dataclass(frozen=True)
class TopicSink:
    """CloudEvents on an Event Grid topic."""

    topic: Topic
    name: str = "event grid"
    severity: str = INFO

    def send(self, event: Event) -> None:
        """Publish it. `source` and `id` together are the event's identity."""
        self.topic.publish(
            identity=event.id,
            source=SOURCE,
            kind=event.type,
            subject=subject(event),
            at=event.at,
            data=event.data,
            extensions={"severity": event.severity},
        )


@dataclass(frozen=True)
class InsightsSink:
    """Custom events in Application Insights: table AppEvents, one property for each part of the data."""

    insights: Insights
    name: str = "application insights"
    severity: str = INFO

    def send(self, event: Event) -> None:
        """Send it as a custom event whose name is the event's type."""
        told = {"id": event.id, "severity": event.severity, "time": stamp(event.at), **event.data}
        self.insights.event(event.type, {key: _text(value) for key, value in told.items()}, at=event.at)


@dataclass(frozen=True)
class MetricsSink:
    """Metric series in Application Insights: table AppMetrics. A sink of its own, so that neither is sent again for
    what the other did not take.
    """

    insights: Insights
    name: str = "application insights metrics"
    severity: str = INFO

    def send(self, event: Event) -> None:
        """Send what the event is worth in numbers; most are worth nothing."""
        points = measures(event)
        if points:
            self.insights.metrics(points, at=event.at)


@dataclass(frozen=True)
class ChatSink:
    """A chat's incoming webhook, with a card of the event."""

    webhook: Webhook
    card: Callable[[Event], Mapping[str, Any]]
    name: str
    severity: str

    def send(self, event: Event) -> None:
        """Post the card."""
        self.webhook.post(self.card(event))


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text[:LONGEST_PROPERTY]
