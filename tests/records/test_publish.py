"""Events reach every sink, in order and at least once; no sink's outage keeps anything waiting; no secret leaks."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import requests

from cloud.errors import CloudError, Permanent, Temporary
from cloud.eventgrid import Topic
from cloud.identity import credential
from cloud.insights import Insights
from cloud.webhooks import Webhook
from rollout.cards import slack, teams
from rollout.codec import moment
from rollout.context import EVENT_WORK, ROLLOUT_WORK
from rollout.phases import Phase
from rollout.place import Place
from rollout.publish import publish
from rollout.record import Event
from rollout.sinks import ChatSink, InsightsSink, MetricsSink, Sink, TopicSink
from rollout.transitions import announced
from tests.analysis_cloud import AnalysisCloud
from tests.localcloud.hook import Hook, running_hook
from tests.records.conftest import Clock, Office, Receiver, how_many, messages
from tests.rollout.world import standing

HOUSE = Path(__file__).resolve().parents[2]
SECRET = "T0000-secret-B0000"
PHASES = (Phase.DEPLOYING, Phase.TESTING, Phase.SHADOW, Phase.CANARY, Phase.AWAITING_APPROVAL, Phase.ROLLING_BACK)


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Place:
    """An endpoint of the test's own."""
    return Place("credit", "production", "credit", f"/onlineendpoints/{request.node.name.lower()}")


def events_of(at: datetime, count: int = len(PHASES) - 1) -> list[Event]:
    """So many events of one rollout, one after the other."""
    record = standing(PHASES[0])
    for number, phase in enumerate(PHASES[1 : count + 1]):
        record = announced(record, standing(phase, outbox=record.outbox), at + timedelta(seconds=number))
    return list(record.outbox.events)


def happened(office: Office, place: Place, events: list[Event]) -> dict[str, str]:
    """The looks that put the events into the outbox; the publisher's message."""
    for event in events:
        office.store.announce(place, event)
    return {**place.message, "key": place.key}


def eventually(holds: Callable[[], bool], told: Callable[[], object]) -> None:
    end = monotonic() + 20
    while not holds():
        assert monotonic() < end, told()
        sleep(0.05)


@pytest.fixture
def hook(cloud: AnalysisCloud) -> Iterator[Hook]:
    """A webhook that is subscribed to the app's topic, for CloudEvents."""
    topic = (
        f"/subscriptions/{cloud.cloud.settings.subscription_id}/resourceGroups/{cloud.cloud.settings.resource_group}"
        "/providers/Microsoft.EventGrid/topics/understudy"
    )
    url = f"{cloud.env['LOCALCLOUD_URL']}{topic}/providers/Microsoft.EventGrid/eventSubscriptions/sub"
    with running_hook() as found:
        body = {
            "properties": {
                "destination": {"endpointType": "WebHook", "properties": {"endpointUrl": found.url}},
                "eventDeliverySchema": "CloudEventSchemaV1_0",
            }
        }
        params = {"api-version": "2022-06-15"}
        reply = requests.put(url, json=body, params=params, headers={"Authorization": "Bearer t"}, timeout=10)
        assert reply.status_code == 201, reply.text
        yield found
        requests.delete(url, params=params, headers={"Authorization": "Bearer t"}, timeout=10)


def topic_sink(cloud: AnalysisCloud) -> TopicSink:
    return TopicSink(Topic(cloud.env["UNDERSTUDY_EVENTS_TOPIC_URL"], credential()))


def chat(receiver: Receiver, name: str = "Slack", severity: str = "info") -> ChatSink:
    card = {"Slack": slack, "Teams": teams}[name]
    return ChatSink(Webhook(name, f"{receiver.url}/services/{SECRET}?sig={SECRET}"), card, name, severity)


@dataclass
class Listener:
    """A sink that takes or refuses as the test says, at the seam that every sink has."""

    name: str = "listener"
    severity: str = "info"
    taken: list[str] = field(default_factory=list)
    refuses: CloudError | None = None

    def send(self, event: Event) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.taken.append(event.id)


def read(cloud: AnalysisCloud, place: Place) -> bytes:
    """The publisher's state of the endpoint."""
    stored = cloud.blobs.read("state", f"outbox/{place.key}.json")
    assert stored is not None
    return stored.data


def with_sinks(office: Office, *sinks: Sink) -> Office:
    return replace(office, sinks=sinks)


def test_event_grid_gets_cloud_events_with_the_documented_members(
    cloud: AnalysisCloud, office: Office, clock: Clock, place: Place, hook: Hook
) -> None:
    events = events_of(clock.now)
    publish(with_sinks(office, topic_sink(cloud)), happened(office, place, events))

    eventually(lambda: len(hook.ids) == len(events), lambda: hook.deliveries)
    (first,) = (e for delivery in hook.deliveries for e in delivery if e["id"] == events[0].id)
    assert first["specversion"] == "1.0"
    assert (first["type"], first["source"]) == ("Understudy.Rollout.PhaseChanged", "/understudy")
    assert first["subject"] == "rollouts/credit/production/credit"
    assert first["severity"] == "info"
    assert first["data"]["phase"] == "testing"
    assert first["data"]["previous"] == {"phase": "deploying", "step": -1}


def test_application_insights_gets_custom_events(
    cloud: AnalysisCloud, office: Office, clock: Clock, place: Place
) -> None:
    events = events_of(clock.now)
    publish(with_sinks(office, InsightsSink(cloud.insights)), happened(office, place, events))

    def rows() -> list[dict[str, Any]]:
        query = 'AppEvents | where Name startswith "Understudy.Rollout." | order by TimeGenerated asc'
        until = clock.now + timedelta(hours=1)
        found = cloud.logs.query(
            cloud.cloud.settings.log_analytics_workspace_id, query, clock.now - timedelta(minutes=1), until
        )
        return [row for row in found if json.loads(row["Properties"])["id"] in {event.id for event in events}]

    eventually(lambda: len(rows()) == len(events), rows)
    told = [json.loads(row["Properties"]) for row in rows()]
    assert [row["Name"] for row in rows()] == [event.type for event in events]
    assert [one["id"] for one in told] == [event.id for event in events]
    assert (told[0]["phase"], told[0]["severity"], json.loads(told[0]["previous"])["phase"]) == (
        "testing",
        "info",
        "deploying",
    )


def ended(clock: Clock, policy: str) -> list[Event]:
    """The events of a rollout that went out and of one that came back, each three hours after its start."""
    events = list[Event]()
    for number, (before, after, changes) in enumerate(
        [
            (Phase.RETIRING, Phase.DONE, {}),
            (Phase.ROLLING_BACK, Phase.ROLLED_BACK, {"harm_seen": clock.now - timedelta(seconds=21)}),
        ]
    ):
        about: dict[str, Any] = {"policy": policy, "number": number, "started": clock.now - timedelta(hours=3)}
        record = announced(standing(before, **about), standing(after, **about, **changes), clock.now)
        events += record.outbox.events
    return events


def series(cloud: AnalysisCloud, clock: Clock, policy: str) -> list[Any]:
    """The query of docs/events.md, for one policy."""
    [query] = re.findall(r"```kusto\n(.*?)```", (HOUSE / "docs" / "events.md").read_text(), re.DOTALL)
    found = cloud.logs.query(
        cloud.cloud.settings.log_analytics_workspace_id,
        f"{query}| where Policy == '{policy}' | order by Name asc, Outcome asc",
        clock.now - timedelta(minutes=1),
        clock.now + timedelta(hours=1),
    )
    return [(row["Name"], row["Outcome"], row["Count"], row["Longest"]) for row in found]


def test_application_insights_gets_a_point_of_each_series_when_a_rollout_ends(
    cloud: AnalysisCloud, office: Office, clock: Clock, place: Place
) -> None:
    sinks = with_sinks(office, MetricsSink(cloud.insights))
    publish(sinks, happened(office, place, [*events_of(clock.now), *ended(clock, "measured")]))

    expected = [
        ("understudy.rollback.seconds", "rolled_back", 1, 21.0),
        ("understudy.rollout.seconds", "promoted", 1, 10800.0),
        ("understudy.rollout.seconds", "rolled_back", 1, 10800.0),
    ]
    eventually(
        lambda: series(cloud, clock, "measured") == expected, lambda: (series(cloud, clock, "measured"), expected)
    )


def test_a_point_that_is_sent_again_has_the_same_id_so_that_a_query_counts_it_once(
    cloud: AnalysisCloud, office: Office, clock: Clock, place: Place
) -> None:
    """As after a worker's death between sending and noting that it sent."""
    sink, (done, _) = MetricsSink(cloud.insights), ended(clock, "twice")
    sink.send(done)
    publish(with_sinks(office, sink), happened(office, place, [done]))

    def sent() -> int:
        query = "AppMetrics | where Properties.policy == 'twice'"
        since, until = clock.now - timedelta(minutes=1), clock.now + timedelta(hours=1)
        return len(list(cloud.logs.query(cloud.cloud.settings.log_analytics_workspace_id, query, since, until)))

    eventually(lambda: sent() == 2, sent)
    assert series(cloud, clock, "twice") == [("understudy.rollout.seconds", "promoted", 1, 10800.0)]


def test_metrics_that_are_not_taken_are_sent_later_and_the_events_are_not_sent_again(
    cloud: AnalysisCloud, office: Office, clock: Clock, place: Place
) -> None:
    elsewhere = "InstrumentationKey=00000000-0000-0000-0000-000000000009;IngestionEndpoint=https://localhost:1/"
    listener, sinks = Listener(), with_sinks(office, MetricsSink(Insights(elsewhere)))
    events = ended(clock, "later")
    work = happened(office, place, events)
    told = publish(replace(sinks, sinks=(listener, *sinks.sinks)), work)
    assert "sending metrics to Application Insights: they were not accepted" in told
    assert listener.taken == [event.id for event in events]

    clock.passes(seconds=15)
    publish(replace(sinks, sinks=(listener, MetricsSink(cloud.insights))), work)
    eventually(lambda: len(series(cloud, clock, "later")) == 3, lambda: series(cloud, clock, "later"))
    assert listener.taken == [event.id for event in events]


@pytest.mark.parametrize("name", ["Teams", "Slack"])
def test_a_chat_gets_cards_of_what_is_severe_enough(
    name: str, office: Office, clock: Clock, place: Place, receiver: Receiver
) -> None:
    sinks = with_sinks(office, chat(receiver, name, "warning"))
    publish(sinks, happened(office, place, events_of(clock.now)))

    shown = [json.dumps(body) for body in receiver.bodies]
    assert len(shown) == 2
    assert "Waiting for approval: card 2 on credit" in shown[0]
    assert "Going back: card 2 on credit" in shown[1]


def test_what_every_sink_has_is_gone_from_storage_and_sent_only_once(
    cloud: AnalysisCloud, office: Office, clock: Clock, place: Place
) -> None:
    one, two = Listener("one"), Listener("two")
    sinks, events = with_sinks(office, one, two), events_of(clock.now)
    work = happened(office, place, events)
    publish(sinks, work)
    publish(sinks, work)

    assert one.taken == two.taken == [event.id for event in events]
    assert not list(cloud.blobs.list("outbox", f"{place.key}/"))


def test_an_outage_of_one_sink_keeps_no_other_waiting_and_ends_with_all_in_order_and_none_twice(
    cloud: AnalysisCloud, office: Office, clock: Clock, place: Place
) -> None:
    well, ill = Listener("well"), Listener("ill", refuses=Temporary("ill: 503"))
    sinks, events = with_sinks(office, well, ill), events_of(clock.now)
    work = happened(office, place, events[:2])
    office.queues.send(EVENT_WORK, work)
    queued = how_many(cloud, EVENT_WORK)
    assert "ill: 503" in publish(sinks, work)
    assert well.taken == [event.id for event in events[:2]]

    happened(office, place, events[2:])
    ill.refuses = None
    publish(sinks, work)
    assert well.taken == [event.id for event in events]
    assert ill.taken == [], "it is not tried again before its time"

    clock.passes(seconds=15)
    publish(sinks, work)
    assert ill.taken == well.taken == [event.id for event in events]
    assert how_many(cloud, EVENT_WORK) == queued + 2, "what was left was queued again"


def test_a_sink_that_stays_down_is_tried_later_and_later_and_given_up_after_a_day_with_a_line_for_the_history(
    cloud: AnalysisCloud, office: Office, clock: Clock, place: Place
) -> None:
    ill = Listener("Teams", refuses=Permanent("posting to Teams: 404 Not Found"))
    sinks, events = with_sinks(office, ill), events_of(clock.now, 2)
    work = happened(office, place, events)
    waits = list[float]()
    while publish(sinks, work) != "nothing to send":
        after = [moment(one["after"]) for one in json.loads(read(cloud, place))["sinks"].values() if one["after"]]
        waits += [(at - clock.now).total_seconds() for at in after]
        clock.now = max([clock.now, *after])

    assert waits[:4] == [15, 30, 60, 120]
    assert set(waits[7:-1]) == {1800}
    assert not list(cloud.blobs.list("outbox", f"{place.key}/"))
    (_, item), *none = office.store.unread(place, None).items
    assert not none
    assert item["kind"] == "notice"
    assert "2 events were not taken by Teams for a day and are given up" in item["text"]
    assert "404 Not Found" in item["text"]
    assert {key: place.message[key] for key in place.message} in messages(cloud, ROLLOUT_WORK)


def test_two_publishers_of_one_endpoint_do_not_meet(
    cloud: AnalysisCloud, office: Office, clock: Clock, place: Place
) -> None:
    listener = Listener()
    work = happened(office, place, events_of(clock.now))
    office.queues.send(EVENT_WORK, work)
    queued = how_many(cloud, EVENT_WORK)
    lease = office.blobs.lease("locks", f"{place.key}.outbox")
    assert lease is not None
    assert publish(with_sinks(office, listener), work) == "its events are being sent already"
    assert listener.taken == []
    assert how_many(cloud, EVENT_WORK) == queued + 1
    lease.release()

    publish(with_sinks(office, listener), work)
    assert len(listener.taken) == 5


@pytest.mark.parametrize(("status", "word"), [(500, Temporary), (429, Temporary), (404, Permanent), (302, Permanent)])
def test_a_webhooks_refusal_is_a_word_of_ours_without_its_address(
    status: int, word: type[CloudError], receiver: Receiver
) -> None:
    receiver.status = status
    with pytest.raises(word) as refused:
        chat(receiver).webhook.post({})
    assert SECRET not in repr(refused.getrepr(chain=True))


def test_neither_address_nor_path_of_a_webhook_is_logged_or_shown_whatever_goes_wrong(
    office: Office, clock: Clock, place: Place, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sink = chat(receiver)
    work = happened(office, place, events_of(clock.now))
    told = [repr(sink)]
    receiver.broken = True
    told.append(publish(with_sinks(office, sink), work))
    clock.passes(hours=1)
    receiver.broken, receiver.status = False, 403
    told.append(publish(with_sinks(office, sink), work))
    clock.passes(days=2)
    told.append(publish(with_sinks(office, sink), work))
    told += [str(item) for _, item in office.store.unread(place, None).items]
    unreachable = ChatSink(Webhook("Slack", f"https://localhost:1/{SECRET}"), slack, "Slack", "info")
    with pytest.raises(Temporary) as refused:
        unreachable.send(events_of(clock.now)[0])

    assert SECRET in receiver.paths[0]
    assert SECRET not in "\n".join([*told, caplog.text, str(refused.getrepr(chain=True))])


def test_an_address_that_is_not_https_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(Permanent, match="must begin with https://"):
        Webhook("Slack", f"http://localhost/{SECRET}").post({})


def test_a_policy_that_takes_the_endpoint_over_is_heard_though_its_rollouts_are_numbered_from_one_again(
    cloud: AnalysisCloud, office: Office, clock: Clock, place: Place
) -> None:
    listener = Listener()
    office = with_sinks(office, listener)
    before = events_of(clock.now)
    publish(office, happened(office, place, before))

    new = standing(Phase.DEPLOYING, policy="renamed", number=1, started=clock.now)
    (event,) = announced(None, new, clock.now).outbox.events
    publish(office, happened(office, place, [event]))

    assert listener.taken == [*(one.id for one in before), "renamed/production/credit/1/1"]
