"""Drift and cost in the running app: what they do not find safe goes no further, says why, and hurts no client."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import requests
from azure.core.exceptions import ResourceExistsError

from tests.localcloud.orders import Orders
from tests.loop import stories
from tests.loop.policies import FULL, RETIRE, SLOW_CANARY
from tests.loop.site import TARGET, Site
from tests.loop.stories import Story, Told
from tests.loop.waiting import wait_until
from tests.loop.world import World

STEPS = (SLOW_CANARY, FULL, RETIRE)
MACHINES = "instance_type: Standard_F2s_v2"
DRIFT = """\
export: {source: log_analytics, every: 1h}
drift: {every: 1h}
"""


def gated(world: World, site: Site, gate: str, *, machines: str = "Standard_F2s_v2", more: str = "") -> None:
    """The site's policy with one more gate, in force."""
    site.write_policy(steps=STEPS)
    text = world.text("policies", f"{site.policy}.yaml")
    text = text.replace(MACHINES, f"instance_type: {machines}").replace("gates:\n", f"gates:\n  {gate}\n") + more
    world.upload("policies", f"{site.policy}.yaml", text)
    kept = f"policies/{site.policy}.yaml"
    wait_until(lambda: world.text("state", kept) == text, seconds=20, told=lambda: f"{kept} is another", every=0.2)


def forget(world: World, fault: int) -> None:
    """The fault is over; those of the other stories stay."""
    requests.delete(f"{world.env['LOCALCLOUD_URL']}/localcloud/faults/{fault}", timeout=5).raise_for_status()


def measured(world: World, site: Site, share: float, until: datetime) -> None:
    """The drift wing's newest result: of ten features so many drifted."""
    name, end = f"{site.policy}/{TARGET}/{site.endpoint}/latest.json", until.replace(microsecond=0)
    overall = {"n_features": 10, "n_drifted_features": round(10 * share), "share_drifted_features": share}
    result = {"until": f"{end:%Y-%m-%dT%H:%M:%SZ}", "status": "measured", "rows": 900, "overall": overall}
    with suppress(ResourceExistsError):
        world.blobs.create_container("drift")
    blob = world.blobs.get_blob_client("drift", name)
    blob.upload_blob(json.dumps(result), overwrite=True, metadata={"until": f"{end:%Y%m%dT%H%M%SZ}"})


def a_version_on_machines_that_are_too_dear_is_not_even_deployed_until_the_policy_allows_it(world: World) -> None:
    site, orders = world.live_site(steps=STEPS), Orders(world.env["LOCALCLOUD_URL"])
    gated(world, site, "cost: {max_ratio: 1.5}", machines="Standard_F4s_v2")
    asked = orders.give("http", match="GET /api/retail/prices.*F4s_v2", times=100, delay_seconds=0)
    with site.clients() as clients:
        site.register("2")
        failed = site.wait_for("failed", version="2")
        assert "4 x Standard_F4s_v2 at 0.194 an hour, live 4 x Standard_F2s_v2 at 0.097" in failed["reasons"][0]
        assert site.deployments() == {f"by-hand-{site.mark}-1": "1"}
        assert len(orders.struck(asked)) == 1, "a price is read once for a rollout"

        gated(world, site, "cost: {max_ratio: 2}", machines="Standard_F4s_v2")
        assert site.command("retry").status_code == 202
        site.wait_until("it begins anew", lambda rollout: rollout["phase"] != "failed")
        site.wait_for("done", version="2")
    assert not clients.failures
    assert "failed" in site.replayed(1)
    assert "done" in site.replayed(2)
    forget(world, asked)


def a_start_waits_for_a_price_that_cannot_be_read(world: World) -> None:
    site, orders = world.live_site(steps=STEPS), Orders(world.env["LOCALCLOUD_URL"])
    gated(world, site, "cost: {max_ratio: 2}", machines="Standard_D2s_v3")
    down = orders.give("http", match="GET /api/retail/prices.*D2s_v3", times=10_000, status=503)
    with site.clients() as clients:
        site.register("2")
        held = site.wait_for_reason("cost: price of Standard_D2s_v3")
        assert (held["phase"], held["flags"]) == ("deploying", ["held"])
        assert site.deployments() == {f"by-hand-{site.mark}-1": "1"}

        forget(world, down)
        site.wait_for("done", version="2")
    assert not clients.failures


def a_version_waits_in_its_canary_while_the_traffic_drifts(world: World) -> None:
    site, ahead = world.live_site(steps=STEPS), datetime.now(UTC) + timedelta(hours=1)
    gated(world, site, "drift: {max_share: 0.3}", more=DRIFT)
    measured(world, site, 0.6, ahead)
    with site.clients() as clients:
        site.register("2")
        held = site.wait_for_reason("drift: 6 of 10 features (60%) drifted in the 900 requests")
        assert held["phase"] == "canary"
        assert {one["gate"]: one["outcome"] for one in held["evidence"]}["drift"] == "unknown"

        measured(world, site, 0.1, ahead)
        site.wait_for("done", version="2")
    assert not clients.failures
    assert "done" in site.replayed(1)
    assert "drift: 1 of 10 features" in json.dumps(site.finished(1))


@stories.of(
    a_version_on_machines_that_are_too_dear_is_not_even_deployed_until_the_policy_allows_it,
    a_start_waits_for_a_price_that_cannot_be_read,
    a_version_waits_in_its_canary_while_the_traffic_drifts,
)
def test(story: Story, told: Told) -> None:
    told.to_its_end(story)
