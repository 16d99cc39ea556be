"""ARM's eventSubscriptions on any topic: {topic}/providers/Microsoft.EventGrid/eventSubscriptions/{name}."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from localcloud.eventgrid import filters as advanced
from localcloud.eventgrid.events import CLOUD_EVENTS, EVENT_GRID
from localcloud.eventgrid.hub import Hub
from localcloud.eventgrid.subscription import Subscription
from localcloud.eventgrid.webhook import HandshakeFailed, Webhook
from localcloud.seams import AzureError, Json

_PROVIDER = r"{provider:(?i:providers/microsoft\.eventgrid/eventsubscriptions)}"
#: The newer form, nested in a custom topic.
_NESTED = r"{nested:(?i:eventsubscriptions)}"
_PROPERTIES = ("destination", "filter", "eventDeliverySchema", "retryPolicy", "deadLetterDestination", "labels")
_SHOWN_BY_AZURE = ("topic", "provisioningState")
_WEBHOOK = ("endpointUrl", "endpointBaseUrl", "maxEventsPerBatch", "preferredBatchSizeInKilobytes")
_TOPIC = r"/{scope:.+/(?i:microsoft\.eventgrid/topics)/[^/]+}"


class SubscriptionsArm:
    """PUT, GET, list and DELETE of event subscriptions."""

    def __init__(self, hub: Hub, webhook: Webhook) -> None:
        self._hub, self._webhook = hub, webhook

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """The extension form for every resource, the nested form for custom topics."""
        for base in (f"{_TOPIC}/{_NESTED}", f"/{{scope:.+}}/{_PROVIDER}"):
            router.add_put(f"{base}/{{name}}", self._put)
            router.add_get(f"{base}/{{name}}", self._get)
            router.add_delete(f"{base}/{{name}}", self._delete)
            router.add_get(base, self._list)

    async def _put(self, request: web.Request) -> web.Response:
        topic, name = _topic(request), request.match_info["name"]
        try:
            subscription = _parse(topic, name, await request.json())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise AzureError(400, "InvalidRequest", f"The event subscription is not valid: {error}.") from error
        try:
            await self._webhook.validate(subscription)
        except HandshakeFailed as error:
            base = subscription.endpoint_url.partition("?")[0]
            message = f"Webhook validation handshake failed for {base}: {error}."
            raise AzureError(400, "Url validation", message) from error
        self._hub.put(subscription)
        return web.json_response(_render(subscription), status=201)

    async def _get(self, request: web.Request) -> web.Response:
        subscription = self._hub.get(_topic(request), request.match_info["name"])
        if subscription is None:
            name = request.match_info["name"]
            raise AzureError(404, "ResourceNotFound", f"Event subscription doesn't exist: {name}.")
        return web.json_response(_render(subscription))

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response({"value": [_render(one) for one in self._hub.list(_topic(request))]})

    async def _delete(self, request: web.Request) -> web.Response:
        existed = self._hub.delete(_topic(request), request.match_info["name"])
        return web.Response(status=200 if existed else 204)


def _topic(request: web.Request) -> str:
    return "/" + request.match_info["scope"].strip("/")


def _parse(topic: str, name: str, body: Json) -> Subscription:
    properties = body["properties"]
    destination = properties["destination"]
    if destination["endpointType"] != "WebHook":
        raise ValueError(f"the local cloud delivers to WebHook only, not to {destination['endpointType']}")
    webhook = destination["properties"]
    _refuse_strange(properties, (*_PROPERTIES, *_SHOWN_BY_AZURE), "properties")
    _refuse_strange(webhook, _WEBHOOK, "destination.properties")
    schema = properties.get("eventDeliverySchema") or EVENT_GRID
    if schema not in (EVENT_GRID, CLOUD_EVENTS):
        raise ValueError(f"eventDeliverySchema {schema} is not one of {EVENT_GRID}, {CLOUD_EVENTS}")
    filters = properties.get("filter") or {}
    retry = properties.get("retryPolicy") or {}
    return Subscription(
        name=name,
        topic=topic,
        endpoint_url=webhook["endpointUrl"],
        schema=schema,
        event_types=tuple(filters.get("includedEventTypes") or ()),
        subject_begins_with=filters.get("subjectBeginsWith") or "",
        subject_ends_with=filters.get("subjectEndsWith") or "",
        subject_case_sensitive=bool(filters.get("isSubjectCaseSensitive")),
        advanced_filters=advanced.read(filters.get("advancedFilters") or []),
        filter_arrays=bool(filters.get("enableAdvancedFilteringOnArrays")),
        max_events_per_batch=_within(webhook, "maxEventsPerBatch", 1, 5000),
        batch_kilobytes=_within(webhook, "preferredBatchSizeInKilobytes", 64, 1024),
        dead_letter_container=_container(properties.get("deadLetterDestination")),
        max_attempts=_within(retry, "maxDeliveryAttempts", Subscription.max_attempts, 30),
        minutes_to_live=_within(retry, "eventTimeToLiveInMinutes", Subscription.minutes_to_live, 1440),
    )


def _refuse_strange(given: Json, known: Sequence[str], where: str) -> None:
    """What would have no effect here is refused and not ignored; empty values and what Azure only shows pass."""
    if strange := sorted(name for name, value in given.items() if value and name not in known):
        raise ValueError(f"the local cloud has no {where}.{strange[0]}")


def _within(properties: Json, name: str, default: int, most: int) -> int:
    value = int(default if properties.get(name) is None else properties[name])
    if not 1 <= value <= most:
        raise ValueError(f"{name}: from 1 to {most}")
    return value


def _container(destination: Json | None) -> str:
    if destination is None:
        return ""
    if destination["endpointType"] != "StorageBlob":
        raise ValueError(f"deadLetterDestination: {destination['endpointType']} is not StorageBlob")
    return str(destination["properties"]["blobContainerName"])


def _render(one: Subscription) -> Json:
    """As Azure shows it: the endpoint without its query, which holds the key."""
    return {
        "id": f"{one.topic}/providers/Microsoft.EventGrid/eventSubscriptions/{one.name}",
        "name": one.name,
        "type": "Microsoft.EventGrid/eventSubscriptions",
        "properties": {
            "topic": one.topic,
            "provisioningState": "Succeeded",
            "destination": {
                "endpointType": "WebHook",
                "properties": {
                    "endpointUrl": None,
                    "endpointBaseUrl": one.endpoint_url.partition("?")[0],
                    "maxEventsPerBatch": one.max_events_per_batch,
                    "preferredBatchSizeInKilobytes": one.batch_kilobytes,
                },
            },
            "filter": {
                "includedEventTypes": list(one.event_types) or None,
                "subjectBeginsWith": one.subject_begins_with,
                "subjectEndsWith": one.subject_ends_with,
                "isSubjectCaseSensitive": one.subject_case_sensitive,
                "enableAdvancedFilteringOnArrays": one.filter_arrays,
                "advancedFilters": [condition.render() for condition in one.advanced_filters],
            },
            "deadLetterDestination": _render_dead_letters(one),
            "eventDeliverySchema": one.schema,
            "retryPolicy": {"maxDeliveryAttempts": one.max_attempts, "eventTimeToLiveInMinutes": one.minutes_to_live},
        },
    }


def _render_dead_letters(one: Subscription) -> Json | None:
    if not one.dead_letter_container:
        return None
    return {"endpointType": "StorageBlob", "properties": {"blobContainerName": one.dead_letter_container}}
