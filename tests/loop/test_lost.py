"""What is lost on the way promotes nothing and stops nothing for ever: events, changes of tags, answers of the logs."""

from __future__ import annotations

from functools import partial

from azure.ai.ml.entities import Model

from tests.localcloud.orders import Orders
from tests.loop import stories
from tests.loop.policies import CANARY, FULL, LONG_CANARY, SHADOW, policy_text
from tests.loop.site import Site
from tests.loop.stories import Story, Told
from tests.loop.waiting import wait_until
from tests.loop.world import World

UNREADABLE = ("logs.html", "logs.empty_200", "logs.empty_204", "logs.partial")
"""Each an answer that a careless reader takes for "no errors"."""


def a_version_whose_event_was_lost_is_found_by_the_timer(world: World) -> None:
    site = world.bare_site()
    site.register("1")  # no policy names the model yet, so its event goes by
    site.write_policy()
    site.wait_until_in_force()
    site.wait_for("done", version="1")
    assert site.split() == ({"1": 100}, {})


def a_version_begins_when_it_gets_its_tag_and_goes_back_when_it_loses_it(world: World) -> None:
    site = world.bare_site()
    site.deploy_by_hand("1")
    tagged(world, site, "1", stage="production")
    text = policy_text(site.policy, site.model, site.endpoint, world.stack.settings, steps=(LONG_CANARY, FULL))
    gated = f"  name: {site.model}\n  require_tags: {{stage: production}}\n"
    world.upload("policies", f"{site.policy}.yaml", text.replace(f"  name: {site.model}\n", gated, 1))
    site.wait_until_in_force()
    site.register("2")
    site.register("3")

    tagged(world, site, "2", stage="production")  # no event tells of a tag, and 3 is newer but has none
    site.wait_for_split({"1": 50, "2": 50})
    tagged(world, site, "2", stage="withdrawn")

    back = site.wait_for("rolled_back", version="2")
    assert back["reasons"][0] == "version 2 lost a tag that the policy requires"
    assert site.split() == ({"1": 100}, {})
    assert "3" not in site.deployments().values()


def tagged(world: World, site: Site, version: str, **tags: str) -> None:
    """Somebody sets the tags of a version with azure-ai-ml."""
    found: Model = world.ml.models.get(site.model, version)
    found.tags = dict(tags)
    world.ml.models.create_or_update(found)


def logs_that_answer_nothing_or_a_part_hold_the_step_and_promote_nothing(world: World) -> None:
    site = world.live_site(steps=(SHADOW.replace("at_least: 1s", "at_least: 6s"), CANARY, FULL))
    orders, faults = Orders(world.env["LOCALCLOUD_URL"], verify=world.env["LOCALCLOUD_CA"]), list[int]()

    def struck(at_least: int) -> bool:
        return sum(len(orders.struck(fault)) for fault in faults) >= at_least

    with site.clients():
        site.register("2")
        site.wait_for("shadow", version="2")
        faults += [orders.give(kind, match=site.endpoint, times=1) for kind in UNREADABLE]
        for count in range(1, len(UNREADABLE)):
            wait_until(partial(struck, count), seconds=60, told=lambda: str(site.rollout()))
            assert site.split()[0] == {"1": 100}
        done = site.wait_for("done", version="2")
    assert all(len(orders.struck(fault)) == 1 for fault in faults)
    unread = [it for it in done["history"] if it["text"].startswith("querying workspace")]
    assert {it["phase"] for it in unread} == {"shadow"}, "a step ended on an answer that was none"


@stories.of(
    a_version_whose_event_was_lost_is_found_by_the_timer,
    a_version_begins_when_it_gets_its_tag_and_goes_back_when_it_loses_it,
    logs_that_answer_nothing_or_a_part_hold_the_step_and_promote_nothing,
)
def test(story: Story, told: Told) -> None:
    told.to_its_end(story)
