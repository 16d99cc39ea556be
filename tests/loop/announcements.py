"""A subscriber of the topic that the app publishes its events to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from tests.localcloud.hook import Hook, running_hook
from tests.loop.world import World


@contextmanager
def subscribed(world: World) -> Iterator[Hook]:
    """Subscribed for the time of the block."""
    of = world.stack.settings
    group = f"/subscriptions/{of.subscription_id}/resourceGroups/{of.resource_group}"
    topic = f"{group}/providers/Microsoft.EventGrid/topics/understudy"
    url = f"{world.env['LOCALCLOUD_URL']}{topic}/providers/Microsoft.EventGrid/eventSubscriptions/announcements"
    asked: dict[str, Any] = {"params": {"api-version": "2022-06-15"}, "headers": {"Authorization": "Bearer any"}}
    with running_hook() as found:
        destination = {"endpointType": "WebHook", "properties": {"endpointUrl": found.url}}
        properties = {"destination": destination, "eventDeliverySchema": "CloudEventSchemaV1_0"}
        reply = requests.put(url, json={"properties": properties}, timeout=10, **asked)
        assert reply.status_code == 201, reply.text
        yield found
        requests.delete(url, timeout=10, **asked)
