"""Custom topics' data plane: what EventGridPublisherClient posts to https://localhost:PORT/topics/{name}/api/events."""

from __future__ import annotations

import hmac
import json
from typing import Any

from aiohttp import web

from localcloud.eventgrid.events import Event
from localcloud.eventgrid.hub import Hub
from localcloud.seams import AzureError, Json
from localcloud.settings import Settings

_MOST_BYTES = 1024 * 1024
_REQUIRED = ("id", "subject", "eventType", "eventTime", "data", "dataVersion")
_REQUIRED_CLOUD = ("id", "source", "type", "specversion")


class CustomTopics:
    """Any topic name is there; its events go to whoever subscribed to it."""

    def __init__(self, hub: Hub, settings: Settings, key: str) -> None:
        self._hub, self._settings, self._key = hub, settings, key

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """The publish door."""
        router.add_post("/topics/{name}/api/events", self._publish)

    async def _publish(self, request: web.Request) -> web.Response:
        self._authorize(request)
        body = await request.read()
        if len(body) > _MOST_BYTES:
            raise AzureError(
                413, "PayloadTooLarge", f"The request has {len(body)} bytes; at most {_MOST_BYTES} may be."
            )
        topic = (
            f"/subscriptions/{self._settings.subscription_id}/resourceGroups/{self._settings.resource_group}"
            f"/providers/Microsoft.EventGrid/topics/{request.match_info['name']}"
        )
        try:
            events = [_event(one, topic) for one in _array(body)]
        except ValueError as error:
            raise AzureError(400, "BadRequest", str(error)) from error
        for event in events:
            self._hub.deliver(event)
        return web.Response()

    def _authorize(self, request: web.Request) -> None:
        """The topic's key, or any bearer token."""
        given = request.headers.get("aeg-sas-key", "")
        if hmac.compare_digest(given.encode(), self._key.encode()):
            return
        if request.headers.get("Authorization", "").lower().startswith("bearer "):
            return
        raise AzureError(401, "Unauthorized", "The request authorization key is not authorized for this topic.")


def _array(body: bytes) -> list[Json]:
    loaded = json.loads(body)
    events = loaded if isinstance(loaded, list) else [loaded]
    if not all(isinstance(event, dict) for event in events):
        raise ValueError("The body must be an event or an array of events.")
    return events


def _event(given: Json, topic: str) -> Event:
    """All or none of a batch is accepted: ValueError names the first field that is missing."""
    cloud = "specversion" in given
    for name in _REQUIRED_CLOUD if cloud else _REQUIRED:
        if given.get(name) is None:
            raise ValueError(f"The event has no '{name}'.")

    def text(name: str) -> str:
        value: Any = given.get(name)
        return "" if value is None else str(value)

    if cloud:
        return Event(
            topic, text("subject"), text("type"), given.get("data"), text("id"), text("time"), cloud_event=given
        )
    return Event(
        topic, text("subject"), text("eventType"), given["data"], text("id"), text("eventTime"), text("dataVersion")
    )
