"""What a rollout tells the outside, from the registration on: Event Grid and Application Insights by their SDKs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.monitor.query import LogsQueryClient, LogsQueryResult

from tests.localcloud.hook import Hook
from tests.loop.announcements import subscribed
from tests.loop.policies import FULL, SHADOW
from tests.loop.site import Site
from tests.loop.waiting import wait_until
from tests.loop.world import World

PREFIX = "Understudy.Rollout."


@pytest.fixture
def hook(world: World) -> Iterator[Hook]:
    """A subscriber of the topic that the stack's app publishes to."""
    with subscribed(world) as found:
        yield found


def heard(hook: Hook, site: Site) -> list[dict[str, Any]]:
    """The site's events, each once, in the order of their numbers."""
    mine = {
        event["id"]: event
        for delivery in list(hook.deliveries)
        for event in delivery
        if event["data"]["endpoint"] == site.endpoint
    }
    return [mine[identity] for identity in sorted(mine, key=lambda one: [int(part) for part in one.split("/")[3:]])]


def test_a_rollout_is_told_to_event_grid_and_application_insights_from_its_start_to_its_end(
    world: World, hook: Hook
) -> None:
    site = world.site(steps=(SHADOW, FULL))
    site.register("1")
    site.wait_for("done", version="1")

    wait_until(
        lambda: [one["type"].removeprefix(PREFIX) for one in heard(hook, site)] == ["Started", "PhaseChanged", "Done"],
        seconds=20,
        told=lambda: str(heard(hook, site)),
        every=0.1,
    )
    events = heard(hook, site)
    assert [one["id"] for one in events] == [f"{site.policy}/local/{site.endpoint}/1/{n}" for n in (1, 2, 3)]
    assert [one["data"]["phase"] for one in events] == ["deploying", "full", "done"]
    wait_until(
        lambda: sorted(one["id"] for one in insights(world, site)) == [one["id"] for one in events],
        seconds=20,
        told=lambda: str(insights(world, site)),
        every=0.3,
    )
    wait_until(
        lambda: [(one["outcome"], one["id"]) for one in points(world, site)] == [("promoted", events[-1]["id"])],
        seconds=20,
        told=lambda: str(points(world, site)),
        every=0.3,
    )
    assert not world.poisoned()


def insights(world: World, site: Site) -> list[dict[str, Any]]:
    """The properties of the site's custom events."""
    return properties(world, site, f'AppEvents | where Name startswith "{PREFIX}"')


def points(world: World, site: Site) -> list[dict[str, Any]]:
    """The dimensions of the site's points of how long a rollout took."""
    return properties(world, site, 'AppMetrics | where Name == "understudy.rollout.seconds" and Sum > 0')


def properties(world: World, site: Site, rows: str) -> list[dict[str, Any]]:
    """What Application Insights keeps beside these rows, of the site's."""
    client = LogsQueryClient(world.credential, endpoint=world.env["LOCALCLOUD_URL"])
    now = datetime.now(UTC)
    answer = client.query_workspace(
        world.stack.settings.log_analytics_workspace_id,
        f"{rows} | project Properties",
        timespan=(now - timedelta(hours=1), now),
    )
    assert isinstance(answer, LogsQueryResult)
    found = [json.loads(row["Properties"]) for row in answer.tables[0].rows]
    return [one for one in found if one["endpoint"] == site.endpoint]
