"""Who hears of which event: subscriptions by topic, and their filters. Implements `localcloud.seams.Events`."""

from __future__ import annotations

from dataclasses import dataclass

from localcloud.eventgrid.delivery import Delivery
from localcloud.eventgrid.events import EVENT_GRID, Event
from localcloud.eventgrid.filters import AdvancedFilter
from localcloud.seams import Json


@dataclass(frozen=True)
class Subscription:
    """One event subscription to a webhook."""

    name: str
    topic: str
    endpoint_url: str
    schema: str = EVENT_GRID
    event_types: tuple[str, ...] = ()
    """Empty: all."""
    subject_begins_with: str = ""
    subject_ends_with: str = ""
    subject_case_sensitive: bool = False
    advanced_filters: tuple[AdvancedFilter, ...] = ()
    filter_arrays: bool = False
    max_attempts: int = 30
    minutes_to_live: int = 1440
    max_events_per_batch: int = 1
    batch_kilobytes: int = 64
    dead_letter_container: str = ""
    """Empty: events that cannot be delivered are dropped."""

    @property
    def batched(self) -> bool:
        """Whether one delivery may carry several events."""
        return self.max_events_per_batch > 1

    def wants(self, event: Event) -> bool:
        """Whether the filter lets the event through."""
        subject, begins, ends = event.subject, self.subject_begins_with, self.subject_ends_with
        if not self.subject_case_sensitive:
            subject, begins, ends = subject.lower(), begins.lower(), ends.lower()
        known = {one.lower() for one in self.event_types}
        if known and event.event_type.lower() not in known:
            return False
        if not (subject.startswith(begins) and subject.endswith(ends)):
            return False
        rendered = event.render(self.schema) if self.advanced_filters else {}
        return all(one.holds(rendered, arrays=self.filter_arrays) for one in self.advanced_filters)


class Hub:
    """All topics of one cloud."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._subscriptions: dict[tuple[str, str], Subscription] = {}

    def publish(self, topic: str, subject: str, event_type: str, data: Json, *, data_version: str = "") -> None:
        """An event of a system topic; delivered in the background, at least once."""
        self.deliver(Event(topic, subject, event_type, data, data_version=data_version))

    def deliver(self, event: Event) -> None:
        """Hand the event to every subscription that wants it."""
        for subscription in self.list(event.topic):
            if subscription.wants(event):
                self._delivery.start(event, subscription)

    def put(self, subscription: Subscription) -> None:
        """Make or replace."""
        self._subscriptions[_key(subscription.topic, subscription.name)] = subscription

    def get(self, topic: str, name: str) -> Subscription | None:
        """None when there is none."""
        return self._subscriptions.get(_key(topic, name))

    def list(self, topic: str) -> list[Subscription]:
        """The topic's subscriptions."""
        return [one for (where, _), one in self._subscriptions.items() if where == topic.lower()]

    def delete(self, topic: str, name: str) -> bool:
        """Whether there was one. Deliveries under way go on."""
        return self._subscriptions.pop(_key(topic, name), None) is not None


def _key(topic: str, name: str) -> tuple[str, str]:
    return topic.lower(), name.lower()
