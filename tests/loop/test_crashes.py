"""The host may die at any moment, with any write half done: the next look finds what is true and goes on from there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import requests

from tests.loop.alerts import metric_alert
from tests.loop.policies import FULL, LONG_CANARY, RETIRE
from tests.loop.site import Site
from tests.loop.waiting import wait_until
from tests.loop.world import World


def wait_for_record(site: Site, phase: str) -> None:
    """Return the moment that storage shows the phase: it was decided, and what follows from it is being done."""
    wait_until(
        lambda: (site.record() or {}).get("phase") == phase,
        seconds=60,
        told=lambda: f"{site.endpoint} is not {phase}: {site.record()}",
        every=0.01,
    )


def test_a_host_killed_at_any_moment_of_a_rollout_ends_in_the_same_state_without_a_failed_request(world: World) -> None:
    [good] = world.live_sites(1)
    [harmful] = world.live_sites(1, steps=(LONG_CANARY, FULL, RETIRE))
    with good.clients() as clients, harmful.clients() as others, ThreadPoolExecutor(1) as pool:
        good.register("2")
        world.crash()
        harmful.register("2")
        for phase in ("deploying", "shadow"):
            wait_for_record(good, phase)
            world.crash()
        wait_for_record(good, "canary")
        world.crash()

        harmful.wait_for_split({"1": 50, "2": 50})

        def alarm() -> None:
            with suppress(requests.ConnectionError):  # the host dies under it
                world.alert(metric_alert(harmful.endpoint_id))

        alarming = pool.submit(alarm)
        wait_for_record(harmful, "rolling_back")
        world.crash()
        alarming.result()

        for phase in ("full", "retiring"):
            if (good.record() or {})["phase"] != phase:
                wait_for_record(good, phase)
            world.crash()
        good.wait_for("done", version="2")
        harmful.wait_for("rolled_back", version="2")
        clients.wait_for_answers(5, by="2")
        others.wait_for_answers(5, by="1")

    assert good.split() == ({"2": 100}, {})
    assert list(good.deployments().values()) == ["2"]
    assert harmful.split() == ({"1": 100}, {})
    assert sorted(harmful.deployments().values()) == ["1", "2"]
    assert good.now()["number"] == harmful.now()["number"] == 1
    assert "retiring" in good.replayed(1), "no look is lost with its worker"
    assert "rolling_back" in harmful.replayed(1)
    assert not clients.failures
    assert not others.failures
    assert not world.poisoned(), "a look that died is no unreadable message"
