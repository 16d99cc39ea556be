"""A policy that only observes tells what it would do on the running app, and begins when it says `act`."""

from __future__ import annotations

from tests.loop.policies import CANARY
from tests.loop.world import World


def test_a_rollout_that_only_observed_begins_when_the_uploaded_policy_acts(world: World) -> None:
    site = world.live_site(steps=(CANARY, "full: {bake: 0s}"))
    name = f"{site.policy}.yaml"
    acting = world.text("policies", name)
    world.upload("policies", name, f"{acting}mode: observe\n")
    world.health()  # which reads the policies anew
    with site.clients() as clients:
        site.register("2")
        seen = site.wait_until("it observes", lambda it: it["flags"] == ["observe"] and "would" in it["reasons"][0])
        assert seen["phase"] == "deploying"
        assert "then canary 50 %, full" in seen["reasons"][0]
        assert set(site.deployments()) == {seen["live"]}

        world.upload("policies", name, acting)
        site.wait_for("done", version="2")
    assert site.split() == ({"2": 100}, {})
    assert not clients.failures
