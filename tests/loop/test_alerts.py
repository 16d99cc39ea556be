"""An alert of Azure Monitor finds its endpoint and does what the policy says, once."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from tests.loop import stories
from tests.loop.alerts import Json, log_alert, metric_alert, resolved
from tests.loop.policies import FULL, LONG_CANARY, RETIRE, ROLL_BACK_ON_ANY, SLOW_CANARY
from tests.loop.site import Site
from tests.loop.stories import Story, Told
from tests.loop.world import World, together

WEBHOOK_SECONDS = 10.0
"""After that an action group gives up. The app answers within half of it, on a machine without other work."""


def in_canary(world: World, count: int) -> list[Site]:
    """Sites whose version 2 has half of the live traffic and keeps it."""
    sites = world.live_sites(count, steps=(LONG_CANARY, FULL, RETIRE))
    together(sites, lambda site: site.register("2"))
    for site in sites:
        site.wait_for_split({"1": 50, "2": 50})
    return sites


def only_held(rollout: Json) -> bool:
    return len(rollout["reasons"]) == 1 and rollout["reasons"][0].startswith("held by")


def a_fired_metric_alert_rolls_a_canary_back_and_the_webhook_answers_within_seconds(world: World) -> None:
    [site] = in_canary(world, 1)
    with site.clients() as clients:
        clients.wait_for_answers(5, by="2")
        alert = metric_alert(site.endpoint_id)
        asked = time.monotonic()
        reply = world.alert(alert)
        assert time.monotonic() - asked < WEBHOOK_SECONDS
        assert (reply.status_code, reply.json()["matched"][0]["action"]) == (202, "rollback")
        site.wait_for_split({"1": 100})
        back = site.wait_for("rolled_back", version="2")
        clients.wait_for_answers(5, by="1")
    assert "too-many-errors fired" in back["reasons"][0]
    assert not clients.failures

    # Azure Monitor may tell it again, and again: it is acted on once.
    again = [world.alert(alert) for _ in range(3)]
    assert {(one.status_code, one.text) for one in again} == {(202, reply.text)}
    told = [entry["text"] for entry in site.now()["history"] if entry["cause"] == "alert"]
    assert told == ["too-many-errors fired: rollback"]
    assert site.split() == ({"1": 100}, {})


def a_log_alert_finds_its_endpoint_by_each_of_its_dimensions_and_by_the_policys_name(world: World) -> None:
    ways: tuple[Callable[[Site], Json], ...] = (
        lambda site: log_alert(dimensions={"_ResourceId": site.endpoint_id.upper()}),
        lambda site: log_alert(dimensions={"endpoint": site.endpoint}),
        lambda site: log_alert(dimensions={"deployment": site.now()["candidate"]}),
        lambda site: log_alert(dimensions={"deployment": site.now()["live"]}),
        lambda site: log_alert(dimensions={"model_name": site.model}),
        lambda site: log_alert(properties={"understudy.policy": site.policy}),
        lambda site: metric_alert(f"{site.endpoint_id}/deployments/{site.now()['candidate']}"),
    )
    *sites, bystander = in_canary(world, len(ways) + 1)
    for site, way in zip(sites, ways, strict=True):
        reply = world.alert(way(site))
        assert reply.status_code == 202
        assert [(one["policy"], one["action"]) for one in reply.json()["matched"]] == [(site.policy, "rollback")]
    for site in sites:
        site.wait_for("rolled_back", version="2")
        assert site.split() == ({"1": 100}, {})
    assert bystander.split() == ({"1": 50, "2": 50}, {})
    assert bystander.now()["phase"] == "canary"


def a_hold_alert_stops_going_forward_until_it_resolves(world: World) -> None:
    hold = ('{rule: "*latency*", when: fired, do: hold}', *ROLL_BACK_ON_ANY)
    site = world.live_site(steps=(SLOW_CANARY, FULL, RETIRE), alerts=hold)
    with site.clients() as clients:
        site.register("2")
        site.wait_for_split({"1": 50, "2": 50})
        alert = metric_alert(site.endpoint_id, rule="p95-latency")
        assert world.alert(alert).json()["matched"][0]["action"] == "hold"
        held = site.wait_until("nothing but the hold keeps it", only_held)
        assert (held["phase"], held["flags"]) == ("canary", ["held"])
        assert {one["outcome"] for one in held["evidence"]} == {"safe"}

        world.alert(resolved(alert))
        site.wait_for("done", version="2")
    assert site.split() == ({"2": 100}, {})
    assert not clients.failures


def an_alert_that_names_no_endpoint_of_a_policy_is_stored_and_shown(world: World) -> None:
    rule = f"nobodys-{uuid.uuid4().hex[:6]}"
    reply = world.alert(metric_alert(f"{world.workspace_id}/onlineEndpoints/somebody-elses", rule=rule))
    assert (reply.status_code, reply.json()["matched"]) == (202, [])
    stored = [world.text("inbox", name) for name in world.names("inbox", "unmatched/")]
    assert [one for one in stored if rule in one]
    assert rule in world.call("GET", "dashboard").text


def an_alert_during_another_look_is_answered_in_time_and_acted_on_when_that_look_is_over(world: World) -> None:
    [site] = in_canary(world, 1)
    world.take_lease(site, seconds=15)  # never given back, as when the look dies
    asked = time.monotonic()
    reply = world.alert(metric_alert(site.endpoint_id))
    assert time.monotonic() - asked < WEBHOOK_SECONDS + 3  # it waits for the lease for as long as it may
    assert reply.status_code == 202
    assert site.split() == ({"1": 50, "2": 50}, {})
    site.wait_for("rolled_back", version="2")
    assert site.split() == ({"1": 100}, {})


@stories.of(
    a_fired_metric_alert_rolls_a_canary_back_and_the_webhook_answers_within_seconds,
    a_log_alert_finds_its_endpoint_by_each_of_its_dimensions_and_by_the_policys_name,
    a_hold_alert_stops_going_forward_until_it_resolves,
    an_alert_that_names_no_endpoint_of_a_policy_is_stored_and_shown,
    an_alert_during_another_look_is_answered_in_time_and_acted_on_when_that_look_is_over,
)
def test(story: Story, told: Told) -> None:
    told.to_its_end(story)
