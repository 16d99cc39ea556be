"""Event Grid: the Functions webhook, subscriptions with their handshake, and delivery at least once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from azure.core.credentials import AzureKeyCredential
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridEvent, EventGridPublisherClient

from localcloud import client
from localcloud.supervisor import Stack
from tests.localcloud.echo import Answer, Echo, eventually
from tests.localcloud.orders import Orders


def event(**data: Any) -> dict[str, Any]:
    return {
        "topic": "/subscriptions/s", "subject": "models/churn:20", "eventType": "Test", "id": str(uuid.uuid4()),
        "eventTime": "2026-06-26T18:41:00.9584103Z", "data": data, "dataVersion": "", "metadataVersion": "1",
    }  # fmt: skip


def post(
    echo: Echo, body: Any, *, function: str = "on_event", kind: str = "Notification", key: str = "EVENTGRID_KEY"
) -> Answer:
    path = f"/runtime/webhooks/EventGrid?functionName={function}&code={echo.stack.env.get(key, key)}"
    headers = {"aeg-event-type": kind, "Content-Type": "application/json"} if kind else {}
    return echo.call("POST", path, body=json.dumps(body).encode(), headers=headers)


def test_each_event_of_a_batch_is_an_invocation_of_its_own(echo: Echo) -> None:
    batch = [event(n=1), event(n=2)]
    assert post(echo, batch).status == 202
    assert sorted(one["data"]["n"] for e in batch for one in echo.seen("event", id=e["id"])) == [1, 2]


def test_a_function_that_takes_text_gets_the_raw_event(echo: Echo) -> None:
    given = event(n=3)
    assert post(echo, given, function="on_raw_event").status == 202
    assert echo.seen("raw event", event=given)


def test_one_failing_event_fails_the_delivery_with_its_message(echo: Echo) -> None:
    answer = post(echo, [event(n=1), event(fail=True)])
    assert answer.status == 500
    assert b"this event always fails" in answer.body


def test_the_handshake_is_answered_with_the_code(echo: Echo) -> None:
    answer = post(echo, [event(validationCode="512d38b6")], kind="subscriptionvalidation")
    assert (answer.status, answer.json) == (200, {"validationResponse": "512d38b6"})


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"key": "wrong"}, 401),
        ({"key": "FUNCTIONS_KEY"}, 403),
        ({"key": "FUNCTIONS_MASTER_KEY"}, 202),
        ({"function": "ON_EVENT"}, 404),
        ({"function": "echo"}, 404),
        ({"kind": "Unsubscribe"}, 202),
        ({"kind": "Something"}, 400),
        ({"kind": ""}, 400),
    ],
)
def test_the_webhook_answers_as_the_real_extension(echo: Echo, changed: dict[str, str], status: int) -> None:
    assert post(echo, [event()], **changed).status == status


def test_a_body_that_is_no_event_is_a_400(echo: Echo) -> None:
    assert post(echo, "no event").status == 400


def arm(echo: Echo, method: str, path: str, body: Any = None) -> client.Reply:
    env = echo.stack.env
    reply = client.call(
        method,
        f"{env['LOCALCLOUD_URL']}{path}?api-version=2025-02-15",
        ca_file=echo.stack.folder / "ca.pem",
        headers={"Authorization": "Bearer test"},
        body=body,
    )
    assert reply is not None
    return reply


def topic_path(echo: Echo) -> str:
    env = echo.stack.env
    return (
        f"/subscriptions/{env['SUBSCRIPTION_ID']}/resourceGroups/{env['RESOURCE_GROUP']}"
        "/providers/Microsoft.EventGrid/topics/promotions/providers/Microsoft.EventGrid/eventSubscriptions"
    )


def subscription(echo: Echo, *, function: str = "on_event", **properties: Any) -> dict[str, Any]:
    env = echo.stack.env
    url = f"{env['FUNCTIONS_URL']}/runtime/webhooks/eventgrid?functionName={function}&code={env['EVENTGRID_KEY']}"
    return {
        "properties": {"destination": {"endpointType": "WebHook", "properties": {"endpointUrl": url}}, **properties}
    }


@pytest.fixture
def publisher(echo: Echo, monkeypatch: pytest.MonkeyPatch) -> Iterator[EventGridPublisherClient]:
    env = echo.stack.env
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", env["LOCALCLOUD_CA"])
    url = f"{env['LOCALCLOUD_URL']}/topics/promotions/api/events"
    with EventGridPublisherClient(url, AzureKeyCredential(env["EVENTGRID_KEY"])) as made:
        yield made


def test_every_event_function_of_the_app_is_subscribed_to_the_workspace_when_the_stack_starts(echo: Echo) -> None:
    env = echo.stack.env
    workspace = (
        f"/subscriptions/{env['SUBSCRIPTION_ID']}/resourceGroups/{env['RESOURCE_GROUP']}"
        f"/providers/Microsoft.MachineLearningServices/workspaces/{env['WORKSPACE']}"
    )
    listed = arm(echo, "GET", f"{workspace}/providers/microsoft.eventgrid/eventsubscriptions").body["value"]
    assert {one["name"] for one in listed} == {"on-event", "on-raw-event"}
    assert env["EVENTGRID_KEY"] not in json.dumps(listed)


def test_a_published_event_reaches_the_subscriptions_whose_filter_it_passes(
    echo: Echo, publisher: EventGridPublisherClient
) -> None:
    # Given a subscription to one type and one model
    filters = {"includedEventTypes": ["Promoted"], "subjectBeginsWith": "models/churn:"}
    assert arm(echo, "PUT", f"{topic_path(echo)}/one", subscription(echo, filter=filters)).status == 201

    # When events are published with the real client
    wanted = EventGridEvent("models/churn:7", "Promoted", {"n": 1}, "1")
    others = [
        EventGridEvent("models/churn2:7", "Promoted", {}, "1"),
        EventGridEvent("models/churn:7", "Other", {}, "1"),
    ]
    publisher.send([*others, wanted])

    # Then the one that passes arrives
    assert eventually(lambda: echo.seen("event", id=str(wanted.id)))
    assert not [other for other in others if echo.seen("event", id=str(other.id))]
    assert arm(echo, "DELETE", f"{topic_path(echo)}/one").status == 200


def test_a_subscription_may_ask_for_cloud_events(echo: Echo, publisher: EventGridPublisherClient) -> None:
    body = subscription(echo, function="on_raw_event", eventDeliverySchema="CloudEventSchemaV1_0")
    assert arm(echo, "PUT", f"{topic_path(echo)}/cloud", body).status == 201
    publisher.send(CloudEvent("contoso/promotions", "Promoted", data={"n": 1}, subject="models/churn:7"))

    def arrived() -> list[dict[str, Any]]:
        return [one["event"] for one in echo.seen("raw event") if one["event"].get("specversion") == "1.0"]

    assert eventually(arrived)[0]["source"] == "contoso/promotions"
    assert arm(echo, "DELETE", f"{topic_path(echo)}/cloud").status == 200


def test_a_delivery_that_fails_is_repeated(echo: Echo, publisher: EventGridPublisherClient) -> None:
    assert arm(echo, "PUT", f"{topic_path(echo)}/retry", subscription(echo)).status == 201
    failing = EventGridEvent("models/churn:7", "Promoted", {"fail": True}, "1")
    publisher.send(failing)
    assert eventually(lambda: len(echo.seen("event", id=str(failing.id))) >= 3)
    assert arm(echo, "DELETE", f"{topic_path(echo)}/retry").status == 200


def test_a_webhook_that_does_not_answer_the_handshake_is_not_subscribed(echo: Echo) -> None:
    reply = arm(echo, "PUT", f"{topic_path(echo)}/wrong", subscription(echo, function="nobody"))
    assert (reply.status, reply.body["error"]["code"]) == (400, "Url validation")
    assert arm(echo, "GET", f"{topic_path(echo)}/wrong").status == 404


def test_a_filter_that_the_local_cloud_does_not_know_is_refused_and_not_ignored(echo: Echo) -> None:
    filters = {"advancedFilters": [{"operatorType": "StringLike", "key": "data.x", "values": ["y"]}]}
    assert arm(echo, "PUT", f"{topic_path(echo)}/advanced", subscription(echo, filter=filters)).status == 400


def test_publishing_with_a_wrong_key_is_unauthorized(echo: Echo) -> None:
    url = f"{echo.stack.env['LOCALCLOUD_URL']}/topics/promotions/api/events"
    reply = client.call(
        "POST", url, ca_file=echo.stack.folder / "ca.pem", headers={"aeg-sas-key": "wrong"}, body=[event()]
    )
    assert reply is not None
    assert reply.status == 401


def test_the_apps_own_door_takes_events_doubled_and_out_of_order(stack: Stack) -> None:
    # Given that the first model's event is overtaken by the second's, which comes twice
    first, second = f"first-{uuid.uuid4().hex[:8]}", f"second-{uuid.uuid4().hex[:8]}"
    orders = Orders(stack.env["LOCALCLOUD_URL"], verify=stack.env["LOCALCLOUD_CA"])
    held = orders.give("event.reorder", match=f"ModelRegistered models/{first}:")
    doubled = orders.give("event.duplicate", match=f"ModelRegistered models/{second}:")
    log = stack.logs / "functions.log"
    begun = log.stat().st_size

    # When both are registered
    for model in (first, second):
        register(stack, model)

    # Then the app's function runs three times more, and every run succeeds
    def runs(outcome: str) -> int:
        return log.read_bytes()[begun:].count(f"Executed 'on_model_registered' ({outcome}".encode())

    assert eventually(lambda: runs("Succeeded") >= 3)
    assert runs("Failed") == 0
    assert orders.struck(held) + orders.struck(doubled) == [f"{REGISTERED} models/{name}:1" for name in (first, second)]
    orders.clear()


def register(stack: Stack, model: str) -> None:
    env = stack.env
    reply = requests.put(
        f"{env['LOCALCLOUD_URL']}/subscriptions/{env['SUBSCRIPTION_ID']}/resourceGroups/{env['RESOURCE_GROUP']}/providers"
        f"/Microsoft.MachineLearningServices/workspaces/{env['WORKSPACE']}/models/{model}/versions/1",
        params={"api-version": "2024-10-01"},
        json={"properties": {"modelUri": "https://example.org/model"}},
        headers={"Authorization": "Bearer test"},
        verify=env["LOCALCLOUD_CA"],
        timeout=10,
    )
    assert reply.ok, reply.text


REGISTERED = "Microsoft.MachineLearningServices.ModelRegistered"
