"""What a person asks of a rollout is done: approve, reject, pause, resume, promote, advance, rollback, retry."""

from __future__ import annotations

from tests.loop import stories
from tests.loop.policies import FULL, LONG_CANARY, LONG_SHADOW, RETIRE, SLOW_CANARY
from tests.loop.site import Site, phases
from tests.loop.stories import Story, Told
from tests.loop.world import World

PAUSED = "paused by holder of the function key: because a test says so; resume to go on"
APPROVAL = "approval: {at_most: 3m}"


def accepted(site: Site, action: str) -> None:
    reply = site.command(action, reason="because a test says so")
    assert (reply.status_code, reply.json()["accepted"]) == (202, True), reply.text


def an_approved_rollout_goes_on(world: World) -> None:
    site = world.live_site(steps=(APPROVAL, FULL, RETIRE))
    with site.clients():
        site.register("2")
        site.wait_for("awaiting_approval", version="2")
        assert site.command("advance").status_code == 409  # a person's word cannot be had by another door
        accepted(site, "approve")
        site.wait_for("done", version="2")
    assert site.split() == ({"2": 100}, {})


def a_rejected_rollout_ends_without_traffic_and_can_be_tried_again(world: World) -> None:
    site = world.live_site(steps=(APPROVAL, FULL, RETIRE))
    site.register("2")
    site.wait_for("awaiting_approval", version="2")
    # Whoever has the key may send any header: without the platform's sign-in it makes nobody somebody else.
    forged = {"X-MS-CLIENT-PRINCIPAL-NAME": "ann@contoso.com"}
    body = {"id": "1", "reason": "because a test says so"}
    assert world.call("POST", f"{site.path}/reject", body, headers=forged).status_code == 202
    over = site.wait_for("rolled_back", version="2")
    assert "rejected by holder of the function key: because a test says so" in over["reasons"][0]
    assert site.split() == ({"1": 100}, {})

    accepted(site, "retry")
    again = site.wait_until(
        "a second rollout waits", lambda it: (it["number"], it["phase"]) == (2, "awaiting_approval")
    )
    assert again["version"] == "2"
    accepted(site, "reject")


def a_paused_rollout_stays_where_it_is_until_it_is_resumed(world: World) -> None:
    site = world.live_site(steps=(SLOW_CANARY, FULL, RETIRE))
    with site.clients() as clients:
        site.register("2")
        site.wait_for_split({"1": 50, "2": 50})
        accepted(site, "pause")
        paused = site.wait_until("nothing but the pause keeps it", lambda it: it["reasons"] == [PAUSED])
        assert (paused["phase"], paused["flags"]) == ("canary", ["paused"])
        assert {one["outcome"] for one in paused["evidence"]} == {"safe"}
        assert site.command("pause").status_code == 409
        accepted(site, "resume")
        done = site.wait_for("done", version="2")
    assert not clients.failures
    told = [line["text"] for line in done["history"]]
    assert "refused: pause by holder of the function key (a test asks): the rollout is paused already" in told, (
        "who was refused what stays in the history"
    )


def a_promoted_version_gets_all_traffic_and_can_be_taken_back_afterwards(world: World) -> None:
    site = world.live_site(steps=(LONG_SHADOW, FULL))
    with site.clients():
        site.register("2")
        site.wait_for("shadow", version="2")
        accepted(site, "promote")
        done = site.wait_for("done", version="2")
    assert phases(done) == ["deploying", "shadow", "full", "done"]
    assert site.split() == ({"2": 100}, {})

    accepted(site, "rollback")
    back = site.wait_until("it was taken back", lambda it: (it["kind"], it["phase"]) == ("rollback", "rolled_back"))
    assert (back["version"], back["number"]) == ("2", 2)
    assert site.split() == ({"1": 100}, {})


def a_shadow_that_is_advanced_becomes_a_canary_and_a_rollback_takes_it_back(world: World) -> None:
    site = world.live_site(steps=(LONG_SHADOW, LONG_CANARY, FULL, RETIRE))
    site.register("2")
    site.wait_for("shadow", version="2")
    accepted(site, "advance")
    site.wait_for_split({"1": 50, "2": 50})
    accepted(site, "rollback")
    site.wait_for("rolled_back", version="2")
    assert site.split() == ({"1": 100}, {})


@stories.of(
    an_approved_rollout_goes_on,
    a_rejected_rollout_ends_without_traffic_and_can_be_tried_again,
    a_paused_rollout_stays_where_it_is_until_it_is_resumed,
    a_promoted_version_gets_all_traffic_and_can_be_taken_back_afterwards,
    a_shadow_that_is_advanced_becomes_a_canary_and_a_rollback_takes_it_back,
)
def test(story: Story, told: Told) -> None:
    told.to_its_end(story)
