"""What Azure gets wrong on the way: lost replies, refusals, operations that fail or stick, another writer."""

from __future__ import annotations

from tests.loop import stories
from tests.loop.alerts import metric_alert
from tests.loop.policies import CANARY, FULL, LONG_CANARY, LONG_SHADOW, SHADOW
from tests.loop.stories import Story, Told
from tests.loop.test_capacity import arm, orders, texts
from tests.loop.waiting import wait_until
from tests.loop.world import World

THROTTLED = {"status": 429, "headers": {"Retry-After": "1"}, "body": {"error": {"code": "TooManyRequests"}}}


def writes_whose_replies_are_lost_are_read_back_and_not_made_twice(world: World) -> None:
    site = world.live_site(steps=(SHADOW, CANARY, FULL))
    lost = orders(world).give("http", match=f"^PUT .*/{site.endpoint}", times=4, cut=True, after=True)
    with site.clients() as clients:
        site.register("2")
        done = site.wait_for("done", version="2")
        clients.wait_for_answers(5, by="2")
    assert len(orders(world).struck(lost)) == 4
    assert sorted(site.deployments().values()) == ["1", "2"]
    assert site.split() == ({"2": 100}, {})
    assert done["number"] == 1
    assert not clients.failures


def throttled_reads_and_writes_are_tried_again_when_azure_says(world: World) -> None:
    site = world.live_site(steps=(SHADOW, CANARY, FULL))
    with site.clients() as clients:
        writes = orders(world).give("http", match=f"^PUT .*/{site.endpoint}", times=3, **THROTTLED)
        reads = orders(world).give("http", match=f"^GET .*/{site.endpoint}[/?]", times=12, **THROTTLED)
        site.register("2")
        site.wait_for("done", version="2")
    assert (len(orders(world).struck(writes)), len(orders(world).struck(reads))) == (3, 12)
    assert site.split() == ({"2": 100}, {})
    assert not clients.failures


def a_traffic_operation_that_azure_fails_is_asked_for_again(world: World) -> None:
    site = world.live_site(steps=(CANARY, FULL))
    failed = orders(world).give("operation.failed", match=f"PUT .*/onlineEndpoints/{site.endpoint}$", times=2)
    with site.clients() as clients:
        site.register("2")
        site.wait_for("done", version="2")
    assert len(orders(world).struck(failed)) == 2
    assert site.split() == ({"2": 100}, {})
    assert not clients.failures


def a_way_back_that_a_stuck_operation_blocks_is_repeated_until_it_is_read_back(world: World) -> None:
    site = world.live_site(steps=(LONG_CANARY, FULL))
    with site.clients() as clients:
        site.register("2")
        site.wait_for_split({"1": 50, "2": 50})
        site.wait_until("the split was read back", lambda rollout: bool(rollout["since"]))
        orders(world).give("operation.stuck", match=f"PUT .*/onlineEndpoints/{site.endpoint}$", seconds=4)
        assert world.alert(metric_alert(site.endpoint_id)).status_code == 202
        back = site.wait_for("rolled_back", version="2")
        clients.wait_for_answers(5, by="1")
    assert site.split() == ({"1": 100}, {})
    assert "after this was known" in "; ".join(back["reasons"])
    assert not clients.failures


def a_mirror_that_another_writer_dropped_is_put_back(world: World) -> None:
    site = world.live_site(steps=(LONG_SHADOW, FULL))
    dropped = orders(world).give("mirror.dropped", match=site.endpoint)
    with site.clients():
        site.register("2")
        wait_until(
            lambda: bool(orders(world).struck(dropped)), seconds=60, told=lambda: "no mirror was written", every=0.1
        )
        site.wait_for_split({"1": 100}, {"2": 50})
        assert site.command("promote").status_code == 202
        site.wait_for("done", version="2")


def a_split_that_somebody_else_set_holds_the_rollout_until_a_person_says_go(world: World) -> None:
    site = world.live_site(steps=(LONG_CANARY, FULL))
    with site.clients() as clients:
        site.register("2")
        site.wait_for_split({"1": 50, "2": 50})
        site.wait_until("the split was read back", lambda rollout: bool(rollout["since"]))
        body = arm(world, "GET", site.endpoint_id).json()
        names = {version: name for name, version in site.deployments().items()}
        body["properties"]["traffic"] = {names["1"]: 80, names["2"]: 20}
        sent = {key: body[key] for key in ("location", "identity", "properties")}
        assert arm(world, "PUT", site.endpoint_id, sent).ok
        held = site.wait_until("held", lambda rollout: "held" in rollout["flags"])
        assert "somebody else" in texts(held)
        assert site.split() == ({"1": 80, "2": 20}, {}), "it was left alone"
        assert site.command("resume").status_code == 202
        site.wait_for_split({"1": 50, "2": 50})
    assert not clients.failures


def a_mirror_that_somebody_else_set_holds_the_rollout_until_a_person_says_go(world: World) -> None:
    site = world.live_site(steps=(LONG_SHADOW, FULL))
    with site.clients():
        site.register("2")
        site.wait_for_split({"1": 100}, {"2": 50})
        site.wait_until("the split was read back", lambda rollout: bool(rollout["since"]))
        body = arm(world, "GET", site.endpoint_id).json()
        body["properties"]["mirrorTraffic"] = dict.fromkeys(body["properties"]["mirrorTraffic"], 10)
        sent = {key: body[key] for key in ("location", "identity", "properties")}
        assert arm(world, "PUT", site.endpoint_id, sent).ok
        held = site.wait_until("held", lambda rollout: "held" in rollout["flags"])
        assert "somebody else set the split" in held["reasons"][0]
        assert site.split() == ({"1": 100}, {"2": 10}), "it was left alone"
        assert site.command("resume").status_code == 202
        site.wait_for_split({"1": 100}, {"2": 50})


@stories.of(
    writes_whose_replies_are_lost_are_read_back_and_not_made_twice,
    throttled_reads_and_writes_are_tried_again_when_azure_says,
    a_traffic_operation_that_azure_fails_is_asked_for_again,
    a_way_back_that_a_stuck_operation_blocks_is_repeated_until_it_is_read_back,
    a_mirror_that_another_writer_dropped_is_put_back,
    a_split_that_somebody_else_set_holds_the_rollout_until_a_person_says_go,
    a_mirror_that_somebody_else_set_holds_the_rollout_until_a_person_says_go,
)
def test(story: Story, told: Told) -> None:
    told.to_its_end(story)
