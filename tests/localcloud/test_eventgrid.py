"""Event Grid beyond one event to one webhook: batches, dead letters, advanced filters, and deliveries that go wrong."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import HttpResponseError
from azure.eventgrid import EventGridEvent, EventGridPublisherClient
from azure.storage.blob import ContainerClient

from localcloud.eventgrid import filters
from localcloud.eventgrid.probation import Probation
from localcloud.settings import Settings
from tests.localcloud.arm_cloud import new_name, until
from tests.localcloud.hook import Hook, running_hook
from tests.localcloud.orders import Orders

if TYPE_CHECKING:
    from tests.localcloud.arm_cloud import ArmCloud

Subscribe = Callable[..., Hook]


@pytest.fixture
def quick(arm: ArmCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArmCloud]:
    """A cloud in which five of Azure's minutes are a second; for the time of a test this process trusts no other."""
    from tests.localcloud import arm_cloud

    with arm_cloud.running(
        tmp_path_factory.mktemp("quick") / ".local", Settings(minute_seconds=0.2, model_event_shape="recorded")
    ) as cloud:
        yield cloud


@pytest.fixture
def topic() -> str:
    return new_name("topic")


@pytest.fixture
def publish(arm: ArmCloud, topic: str) -> Iterator[Callable[..., list[str]]]:
    """Publishes with the real client; the ids of what was sent."""
    with publisher(arm, topic) as client:

        def send(*subjects: str, data: dict[str, Any] | None = None) -> list[str]:
            events = [EventGridEvent(subject, "Promoted", data or {}, "1") for subject in subjects]
            client.send(events)
            return [str(event.id) for event in events]

        yield send


@pytest.fixture
def subscribe(arm: ArmCloud, topic: str) -> Iterator[Subscribe]:
    """A subscription of a new webhook to the topic."""
    with ExitStack() as stack:

        def made(*, webhook: dict[str, Any] | None = None, **properties: Any) -> Hook:
            hook = stack.enter_context(running_hook())
            reply = subscription(arm, topic, hook, webhook, **properties)
            assert reply.status_code == 201, reply.text
            return hook

        yield made


def publisher(cloud: ArmCloud, topic: str) -> EventGridPublisherClient:
    key = AzureKeyCredential(cloud.env["EVENTGRID_KEY"])
    return EventGridPublisherClient(
        f"{cloud.url}/topics/{topic}/api/events", key, connection_verify=cloud.env["LOCALCLOUD_CA"]
    )


def subscription(
    cloud: ArmCloud, topic: str, hook: Hook, webhook: dict[str, Any] | None = None, **properties: Any
) -> requests.Response:
    destination = {"endpointType": "WebHook", "properties": {"endpointUrl": hook.url, **(webhook or {})}}
    path = (
        f"/subscriptions/{cloud.env['SUBSCRIPTION_ID']}/resourceGroups/{cloud.env['RESOURCE_GROUP']}/providers"
        f"/Microsoft.EventGrid/topics/{topic}/providers/Microsoft.EventGrid/eventSubscriptions/sub"
    )
    return cloud.call("PUT", path, {"properties": {"destination": destination, **properties}})


def first_blob(cloud: ArmCloud, name: str) -> tuple[str, dict[str, Any]] | None:
    connection, ca_file = cloud.env["AZURE_STORAGE_CONNECTION_STRING"], cloud.env["LOCALCLOUD_CA"]
    with ContainerClient.from_connection_string(connection, name, connection_verify=ca_file) as container:
        for blob in container.list_blob_names() if container.exists() else []:
            return blob, json.loads(container.download_blob(blob).readall())[0]
    return None


def arrived(hook: Hook, count: int) -> list[str]:
    """The ids of the first so many deliveries' events."""
    until(lambda: True if len(hook.ids) >= count else None)
    return hook.ids


def test_a_subscription_that_asks_for_batches_gets_several_events_in_one_delivery(
    subscribe: Subscribe, publish: Callable[..., list[str]]
) -> None:
    hook = subscribe(webhook={"maxEventsPerBatch": 2, "preferredBatchSizeInKilobytes": 64})

    sent = publish("a", "b", "c")

    assert sorted(arrived(hook, 3)) == sorted(sent)
    assert sorted(len(delivery) for delivery in hook.deliveries) == [1, 2]


def test_a_batch_that_fails_is_delivered_again_as_a_whole(
    subscribe: Subscribe, publish: Callable[..., list[str]]
) -> None:
    hook = subscribe(webhook={"maxEventsPerBatch": 10})
    hook.statuses.append(500)

    sent = publish("a", "b")

    assert arrived(hook, 4) == [*sent, *sent]
    assert [headers["aeg-delivery-count"] for headers in hook.headers] == ["0", "1"]


@pytest.mark.parametrize(
    ("cloud", "data", "data_version"),
    [
        ("arm", {"ModelName": "shaped", "ModelVersion": 7, "ModelTags": {"a": "b"}, "ModelProperties": {}}, ""),
        ("quick", {"modelName": "shaped", "modelVersion": "7", "modelTags": {"a": "b"}, "modelProperties": {}}, "2"),
    ],
)
def test_a_registered_model_is_told_in_the_documented_or_the_recorded_shape(
    request: pytest.FixtureRequest, cloud: str, data: dict[str, Any], data_version: str
) -> None:
    workspace: ArmCloud = request.getfixturevalue(cloud)
    with running_hook() as hook:
        destination = {"endpointType": "WebHook", "properties": {"endpointUrl": hook.url}}
        path = f"{workspace.workspace_id}/providers/Microsoft.EventGrid/eventSubscriptions/shapes"
        wanted = {"subjectBeginsWith": "models/shaped:"}
        body = {"properties": {"destination": destination, "filter": wanted}}
        assert workspace.call("PUT", path, body).status_code == 201

        version = {"properties": {"modelUri": "https://example.org/model", "tags": {"a": "b"}}}
        made = workspace.call("PUT", f"{workspace.workspace_id}/models/shaped/versions/7", version)
        assert made.ok, made.text
        arrived(hook, 1)
        workspace.call("DELETE", path)

    (event,) = hook.deliveries[0]
    assert (event["topic"], event["subject"]) == (workspace.workspace_id, "models/shaped:7")
    assert (event["data"], event["dataVersion"]) == (data, data_version)


def test_what_cannot_be_delivered_is_kept_in_the_dead_letter_container(quick: ArmCloud) -> None:
    properties = {"resourceId": "/any", "blobContainerName": "dead-letters"}
    policy = {"maxDeliveryAttempts": 2, "eventTimeToLiveInMinutes": 1440}

    with running_hook() as hook:
        hook.statuses += [503, 503]
        destination = {"endpointType": "StorageBlob", "properties": properties}
        reply = subscription(quick, "letters", hook, deadLetterDestination=destination, retryPolicy=policy)
        assert reply.status_code == 201
        with publisher(quick, "letters") as client:
            client.send(sent := EventGridEvent("models/churn:7", "Promoted", {}, "1"))
        name, letter = until(lambda: first_blob(quick, "dead-letters"))

    assert name.startswith("SUB/")
    assert letter["id"] == str(sent.id)
    assert (letter["deadLetterReason"], letter["deliveryAttempts"]) == ("MaxDeliveryAttemptsExceeded", 2)
    assert (letter["lastDeliveryOutcome"], letter["lastHttpStatusCode"]) == ("Busy", 503)
    assert hook.arrivals[0] < datetime.fromisoformat(letter["lastDeliveryAttemptTime"]) < hook.arrivals[1]


def test_an_advanced_filter_lets_through_what_matches_and_nothing_else(
    subscribe: Subscribe, publish: Callable[..., list[str]]
) -> None:
    condition = {"operatorType": "StringIn", "key": "data.ModelName", "values": ["churn", "fraud"]}
    hook = subscribe(filter={"advancedFilters": [condition]})

    publish("a", data={"ModelName": "sales"})
    (wanted,) = publish("b", data={"ModelName": "Fraud"})

    assert arrived(hook, 1) == [wanted]


def test_an_event_is_delivered_twice_on_order(
    subscribe: Subscribe, publish: Callable[..., list[str]], orders: Orders
) -> None:
    hook = subscribe()
    orders.give("event.duplicate", match="Promoted doubled")

    (sent,) = publish("doubled")

    assert arrived(hook, 2) == [sent, sent]


def test_an_event_is_overtaken_by_a_later_one_on_order(
    subscribe: Subscribe, publish: Callable[..., list[str]], orders: Orders
) -> None:
    hook = subscribe()
    orders.give("event.reorder", match="Promoted first")

    first, second = publish("first", "second")

    assert arrived(hook, 2) == [second, first]


def test_an_answer_that_is_lost_makes_the_event_come_again(
    subscribe: Subscribe, publish: Callable[..., list[str]], orders: Orders
) -> None:
    hook = subscribe()
    orders.give("events.lost_ack", match="Promoted acknowledged")

    (sent,) = publish("acknowledged")

    assert arrived(hook, 2) == [sent, sent]
    assert hook.headers[1]["aeg-delivery-count"] == "1"


EVENT = {
    "subject": "models/churn:7",
    "eventType": "Promoted",
    "data": {"n": 7, "ok": True, "tags": ["a", "b"], "no": None},
}


@pytest.mark.parametrize(
    ("operator", "key", "value", "passes"),
    [
        ("StringBeginsWith", "Subject", ["models/CHURN"], True),
        ("StringNotBeginsWith", "subject", ["models/churn"], False),
        ("StringEndsWith", "subject", [":7", ":8"], True),
        ("StringContains", "subject", ["fraud"], False),
        ("StringNotContains", "data.absent", ["x"], True),
        ("StringNotIn", "subject", ["other"], True),
        ("StringIn", "data.n", ["7"], False),
        ("NumberIn", "data.n", [6, 7], True),
        ("NumberNotIn", "data.n", [7], False),
        ("NumberInRange", "data.n", [[1, 5], [7, 9]], True),
        ("NumberNotInRange", "data.n", [[1, 5]], True),
        ("NumberGreaterThan", "data.n", [7], False),
        ("NumberLessThanOrEquals", "data.n", [7], True),
        ("NumberLessThan", "subject", [7], False),
        ("BoolEquals", "data.ok", [True], True),
        ("BoolEquals", "data.n", [True], False),
        ("IsNullOrUndefined", "data.no", [], True),
        ("IsNotNull", "data.n", [], True),
        ("IsNotNull", "data.n.deeper", [], False),
        ("StringIn", "data.tags", ["b"], True),
    ],
)
def test_each_operator_compares_as_azure_documents_it(operator: str, key: str, value: list[Any], passes: bool) -> None:
    (condition,) = filters.read([{"operatorType": operator, "key": key, "values": value}])

    assert condition.holds(EVENT, arrays=True) is passes


def test_members_of_an_array_are_compared_only_where_the_subscription_says_so() -> None:
    (condition,) = filters.read([{"operatorType": "StringIn", "key": "data.tags", "values": ["b"]}])

    assert not condition.holds(EVENT, arrays=False)


@pytest.mark.parametrize(
    "condition",
    [
        {"operatorType": "StringLike", "key": "subject", "values": ["x"]},
        {"operatorType": "StringIn", "key": "subject", "values": []},
        {"operatorType": "NumberInRange", "key": "data.n", "values": [1, 2]},
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(condition: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="advancedFilters"):
        filters.read([condition])


def test_an_endpoint_that_keeps_failing_gets_new_events_later(quick: ArmCloud) -> None:
    with running_hook() as hook:
        # Given an endpoint that has failed ten times in a row with 404, which Azure waits five minutes for
        once = {"maxDeliveryAttempts": 1, "eventTimeToLiveInMinutes": 1440}
        assert subscription(quick, "probation", hook, retryPolicy=once).status_code == 201
        hook.statuses += [404] * 10
        with publisher(quick, "probation") as client:
            client.send([EventGridEvent(str(number), "Promoted", {}, "1") for number in range(10)])
            arrived(hook, 10)
            failed = time.monotonic()

            # When something new is published
            client.send(new := EventGridEvent("new", "Promoted", {}, "1"))

            # Then it arrives only after the probation: five of this cloud's minutes are a second
            until(lambda: True if str(new.id) in hook.ids else None)
    assert time.monotonic() - failed > 0.8


def test_a_delivery_that_arrives_ends_the_probation() -> None:
    probation = Probation(1.0)
    for _ in range(9):
        probation.note("https://hook", 503, delivered=False)
    assert probation.seconds_left("https://hook") == 0

    probation.note("https://hook", 503, delivered=False)
    assert 9 < probation.seconds_left("https://hook") <= 10
    assert probation.seconds_left("https://other") == 0

    probation.note("https://hook", 200, delivered=True)
    assert probation.seconds_left("https://hook") == 0


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"retryPolicy": {"maxDeliveryAttempts": 31}}, "maxDeliveryAttempts: from 1 to 30"),
        ({"retryPolicy": {"eventTimeToLiveInMinutes": 0}}, "eventTimeToLiveInMinutes: from 1 to 1440"),
        ({"expirationTimeUtc": "2030-01-01T00:00:00Z"}, "no properties.expirationTimeUtc"),
        ({"eventDeliverySchema": "CustomInputSchema"}, "CustomInputSchema"),
        ({"deadLetterDestination": {"endpointType": "Queue", "properties": {}}}, "Queue is not StorageBlob"),
    ],
)
def test_a_subscription_that_asks_for_what_is_not_here_is_refused_and_not_ignored(
    arm: ArmCloud, topic: str, properties: dict[str, Any], words: str
) -> None:
    with running_hook() as hook:
        reply = subscription(arm, topic, hook, **properties)
        attributes = {"deliveryAttributeMappings": [{"name": "x", "type": "Static", "properties": {"value": "1"}}]}
        other = subscription(arm, topic, hook, attributes)

    assert (reply.status_code, other.status_code) == (400, 400)
    assert words in reply.json()["error"]["message"]
    assert "no destination.properties.deliveryAttributeMappings" in other.json()["error"]["message"]


def test_more_than_a_megabyte_cannot_be_published(arm: ArmCloud, topic: str) -> None:
    with publisher(arm, topic) as client, pytest.raises(HttpResponseError) as caught:
        client.send(EventGridEvent("large", "Promoted", {"text": "x" * 1024 * 1024}, "1"))

    assert caught.value.status_code == 413


def test_the_body_of_an_event_and_its_headers_are_those_of_the_schema(
    subscribe: Subscribe, publish: Callable[..., list[str]]
) -> None:
    hook = subscribe()

    publish("a")
    arrived(hook, 1)

    (event,) = hook.deliveries[0]
    assert set(event) == {
        *("topic", "subject", "eventType", "eventTime", "id", "data", "dataVersion", "metadataVersion")
    }
    assert {
        "aeg-event-type": "Notification",
        "aeg-subscription-name": "SUB",
        "aeg-delivery-count": "0",
        "aeg-data-version": "1",
        "aeg-metadata-version": "1",
    }.items() <= hook.headers[0].items()
