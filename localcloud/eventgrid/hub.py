"""Who hears of which event: the subscriptions by topic. Implements `localcloud.seams.Events`."""

from __future__ import annotations

from localcloud.eventgrid.delivery import Delivery
from localcloud.eventgrid.events import Event
from localcloud.eventgrid.subscription import Subscription
from localcloud.seams import Json


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
