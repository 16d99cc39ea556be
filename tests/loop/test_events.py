"""Events only say "look now": late, doubled, disordered or in another schema, they come to one rollout."""

from __future__ import annotations

import json
from functools import partial

from tests.loop import stories
from tests.loop.events import cloud_event, documented, recorded
from tests.loop.site import Site
from tests.loop.stories import Story, Told
from tests.loop.world import World, together


def with_versions_before_its_policy(world: World, count: int, *versions: str) -> list[Site]:
    """Sites whose versions were registered while no policy named them: the workspace's own events went by."""
    sites = world.bare_sites(count)
    for version in versions:
        together(sites, partial(Site.register, version=version))
    for site in sites:
        site.write_policy()
    for site in sites:
        site.wait_until_in_force()
    return sites


def the_same_event_five_times_and_events_in_reverse_order_start_one_rollout_of_the_newest(world: World) -> None:
    repeated, reversed_ = with_versions_before_its_policy(world, 2, "1", "2", "3")
    event = documented(world.workspace_id, repeated.model, "3")
    replies = []
    together([event] * 5, lambda one: replies.append(world.event(one).status_code))
    for version in ("3", "2", "1"):
        replies.append(world.event(documented(world.workspace_id, reversed_.model, version)).status_code)
    assert set(replies) == {202}

    for site in (repeated, reversed_):
        done = site.wait_for("done", version="3")
        assert done["number"] == 1
        assert site.split() == ({"3": 100}, {})
        assert list(site.deployments().values()) == ["3"]
    for version in ("1", "2", "3"):
        reversed_.take_in(documented(world.workspace_id, reversed_.model, version))
    assert reversed_.now()["number"] == 1
    assert list(reversed_.deployments().values()) == ["3"]


def every_schema_of_the_event_is_understood_and_each_event_of_a_delivery_is_taken(world: World) -> None:
    sites = with_versions_before_its_policy(world, 3, "1")
    shapes = (documented, recorded, cloud_event)
    events = [shape(world.workspace_id, site.model, "1") for shape, site in zip(shapes, sites, strict=True)]
    assert world.event(*events[:2]).status_code == 202  # a delivery may hold several
    assert world.event(events[2]).status_code == 202
    for site in sites:
        site.wait_for("done", version="1")
    inbox = [json.loads(world.text("inbox", name)) for name in world.names("inbox")]
    told = {item["event"]: item["model"] for item in inbox if item["kind"] == "registered"}
    assert [told.get(event["id"]) for event in events] == [site.model for site in sites]


@stories.of(
    the_same_event_five_times_and_events_in_reverse_order_start_one_rollout_of_the_newest,
    every_schema_of_the_event_is_understood_and_each_event_of_a_delivery_is_taken,
)
def test(story: Story, told: Told) -> None:
    told.to_its_end(story)
