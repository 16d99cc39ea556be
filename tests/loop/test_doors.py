"""What the doors show is what the contract says, key by key: in flight, done, and with history."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.loop.policies import CANARY, FULL, RETIRE
from tests.loop.site import TARGET, Site
from tests.loop.waiting import wait_until
from tests.loop.world import World

Json = dict[str, Any]
TEXT, WHOLE, LIST, MAP = str, int, list, dict
MAYBE = (str, type(None))
ROLLOUT: Mapping[str, Any] = {
    "policy": TEXT, "target": TEXT, "endpoint": TEXT, "kind": TEXT, "model": TEXT, "version": TEXT, "phase": TEXT,
    "step": MAYBE, "flags": LIST, "live": MAYBE, "candidate": TEXT, "traffic": MAP, "mirror": MAP, "reasons": LIST,
    "evidence": LIST, "next_look": MAYBE, "record": WHOLE,
}  # fmt: skip
"""contracts.md, "Doors"."""
BESIDES: Mapping[str, Any] = {"started": TEXT, "entered": TEXT, "since": MAYBE}
WITH_HISTORY: Mapping[str, Any] = {
    "history": LIST, "number": WHOLE, "holds": LIST, "leftovers": LIST, "model_id": TEXT, "earlier": LIST,
    "unread": LIST,
    "basis": (dict, type(None)),
}  # fmt: skip
NUMBER = (int, float, type(None))
FINDING: Mapping[str, Any] = {
    "gate": TEXT, "outcome": TEXT, "text": TEXT, "value": NUMBER, "harm": NUMBER, "safe": NUMBER, "n": WHOLE,
}  # fmt: skip
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@pytest.fixture(scope="module")
def site(lasting: World) -> Site:
    """A site whose version 2 has half of the live traffic and waits there for a person."""
    made = lasting.live_site(steps=(CANARY, "approval: {at_most: 3m}", FULL, RETIRE))
    with made.clients():
        made.register("2")
        made.wait_for("awaiting_approval", version="2")
        made.wait_until("there is evidence", lambda rollout: bool(rollout["evidence"]))
    return made


def assert_shape(value: Json, *shapes: Mapping[str, Any]) -> None:
    shape = {name: kind for one in shapes for name, kind in one.items()}
    assert sorted(value) == sorted(shape)
    wrong = {name: value[name] for name, kind in shape.items() if not isinstance(value[name], kind)}
    assert not wrong


def test_the_list_of_rollouts_has_the_contracts_keys_and_types(world: World, site: Site) -> None:
    reply = world.call("GET", "rollouts")
    assert (reply.status_code, reply.headers["Content-Type"].split(";")[0]) == (200, "application/json")
    [mine] = [one for one in reply.json() if one["policy"] == site.policy]
    assert_shape(mine, ROLLOUT, BESIDES)
    assert (mine["target"], mine["endpoint"], mine["kind"]) == (TARGET, site.endpoint, "rollout")
    assert (mine["phase"], mine["step"], mine["version"]) == ("awaiting_approval", "approval", "2")
    assert mine["traffic"] == {mine["live"]: 50, mine["candidate"]: 50}
    assert mine["mirror"] == {}


def test_one_rollout_has_its_history_and_its_times_are_utc(world: World, site: Site) -> None:
    rollout = world.call("GET", site.path).json()
    assert_shape(rollout, ROLLOUT, BESIDES, WITH_HISTORY)
    for entry in rollout["history"]:
        assert_shape(entry, {"at": TEXT, "phase": TEXT, "cause": TEXT, "text": TEXT})
    for finding in rollout["evidence"]:
        assert_shape(finding, FINDING)
        assert finding["outcome"] in ("harm", "safe", "unknown")
    times = [rollout["started"], rollout["entered"], rollout["since"], rollout["next_look"]]
    assert all(TIME.fullmatch(one) for one in [*times, *(entry["at"] for entry in rollout["history"])])
    assert len(rollout["candidate"]) <= 32


def test_an_endpoint_is_found_in_any_case(world: World, site: Site) -> None:
    """ARM does not tell `Churn` from `churn`."""
    reply = world.call("GET", site.path.replace(site.endpoint, site.endpoint.upper()))
    assert (reply.status_code, reply.json()["endpoint"]) == (200, site.endpoint)


def test_the_dashboard_shows_the_rollout(world: World, site: Site) -> None:
    reply = world.call("GET", "dashboard")
    assert (reply.status_code, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert reply.text.lstrip().lower().startswith("<!doctype html")
    for shown in (site.policy, site.endpoint, site.model, "approval"):
        assert shown in reply.text


def test_health_tells_of_storage_policies_and_the_timers(world: World, site: Site) -> None:
    timers = {"advance_rollouts", "discover_versions", "export_logs", "measure_drift"}
    wait_until(lambda: timers <= set(world.health()["last_runs"]), seconds=20, told=lambda: str(world.health()))
    health = world.health()
    assert (health["dependencies"], health["failed_runs"]) == ({"storage": "ok"}, [])
    assert health["status"] == ("degraded" if health["policy_errors"] else "healthy")
    assert site.policy in health["policies"]
