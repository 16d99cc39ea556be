"""What is wrong is kept and told with its field; the last good policy stays in force, and nothing changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from tests.loop.alerts import metric_alert
from tests.loop.events import documented
from tests.loop.site import Site
from tests.loop.waiting import wait_until
from tests.loop.world import World

Json = dict[str, Any]


@pytest.fixture(scope="module")
def site(lasting: World) -> Site:
    """A site whose first version is out, for all tests of this file: nothing here may change it."""
    made = lasting.site()
    made.register("1")
    made.wait_for("done", version="1")
    return made


@contextmanager
def nothing_changes(world: World, site: Site) -> Iterator[None]:
    """Another look at the endpoint afterwards finds the rollout and Azure as they were."""

    def state() -> Json:
        rollout = site.now()
        return {
            **{key: rollout[key] for key in ("number", "version", "phase", "flags", "candidate", "live")},
            "split": site.split(),
            "deployments": site.deployments(),
        }

    before = state()
    yield
    site.take_in(documented(world.workspace_id, site.model, "1"))
    assert state() == before


def test_a_bad_policy_file_changes_nothing_and_is_shown(world: World, site: Site) -> None:
    good = world.text("policies", f"{site.policy}.yaml")
    with nothing_changes(world, site):
        world.upload("policies", f"{site.policy}.yaml", good.replace("mirror_percent: 50", "mirror_percent: 90"))
        shown = wait_until(
            lambda: world.health()["policy_errors"].get(site.policy), seconds=20, told=lambda: str(world.health())
        )
        assert "mirror_percent" in shown
        assert site.policy in world.health()["policies"], "the last good one is still in force"
        assert world.health()["status"] == "degraded"
        assert "mirror_percent" in world.call("GET", "dashboard").text
    world.upload("policies", f"{site.policy}.yaml", good)
    wait_until(lambda: site.policy not in world.health()["policy_errors"], seconds=20, told=lambda: str(world.health()))


def kept(world: World, raw: bytes) -> list[str]:
    """The field that is named beside each bad input that was kept with this body."""
    blobs = [world.blobs.get_blob_client("inbox-bad", name) for name in world.names("inbox-bad")]
    return [blob.get_blob_properties().metadata["field"] for blob in blobs if blob.download_blob().readall() == raw]


def test_a_bad_event_is_taken_and_kept_with_the_field_that_is_wrong(world: World, site: Site) -> None:
    good = documented(world.workspace_id, site.model, "1")
    bad = {
        "data": {key: value for key, value in good.items() if key != "data"},
        "topic": good | {"topic": "/subscriptions/s"},
        "subject": good | {"subject": f"models/{site.model}:9"},
        "eventType": {key: value for key, value in good.items() if key != "eventType"},
    }
    with nothing_changes(world, site):
        for field, event in bad.items():
            assert world.event(event).status_code == 202
            assert kept(world, json.dumps(event).encode()) == [field]


def test_a_bad_alert_is_refused_with_the_field_that_is_wrong_and_kept(world: World, site: Site) -> None:
    def broken(field: str, value: Any) -> bytes:
        alert = metric_alert(site.endpoint_id)
        *folders, last = field.split(".")
        into = alert
        for folder in folders:
            into = into[folder]
        into[last] = value
        return json.dumps(alert).encode()

    bad = {
        "body": f"no JSON {site.policy}".encode(),
        "schemaId": broken("schemaId", "Microsoft.Insights/activityLogs"),
        "data": broken("data", []),
        "data.essentials.alertId": broken("data.essentials.alertId", None),
        "data.essentials.monitorCondition": broken("data.essentials.monitorCondition", "Suspended"),
        "data.essentials.alertTargetIDs": broken("data.essentials.alertTargetIDs", site.endpoint_id),
    }
    with nothing_changes(world, site):
        for field, raw in bad.items():
            reply = world.call("POST", "alerts", raw=raw)
            assert (reply.status_code, reply.json()["field"]) == (400, field)
            assert kept(world, raw) == [field]


def test_a_command_that_is_wrong_unknown_or_impossible_is_refused_and_says_why(world: World, site: Site) -> None:
    with nothing_changes(world, site):
        for body, field in (
            ({"reason": "no id"}, "id"),
            ({"id": "1"}, "reason"),
            ({"id": "1", "reason": " "}, "reason"),
            ({"id": "1", "reason": "r", "recrod": 3}, "recrod"),
            ({"id": "1", "reason": "r", "record": "3"}, "record"),
            ({"id": "1", "reason": "r", "model_version": "2"}, "model_version"),
        ):
            reply = world.call("POST", f"{site.path}/pause", body)
            assert (reply.status_code, reply.json()["field"]) == (400, field)
        reply = world.call("POST", f"{site.path}/pause", raw=b"[")
        assert (reply.status_code, reply.json()["field"]) == (400, "body")
        reply = site.command("explode")
        assert (reply.status_code, reply.json()["field"]) == (400, "action")

        for path in (f"{site.path}x", site.path.replace("/local/", "/nowhere/"), "rollouts/none/local/none"):
            body = {"id": "1", "reason": "r"}
            assert world.call("POST", f"{path}/pause", body).status_code == 404
            assert world.call("GET", path).status_code == 404

        for action, words in (
            ("pause", "the rollout is done"),
            ("approve", "no approval is asked for"),
            ("rollback", "the first version"),
            ("promote", "the rollout is done"),
        ):
            reply = site.command(action)
            assert (reply.status_code, words in reply.json()["error"]) == (409, True), reply.text
        stale = site.command("start", record=1)
        assert (stale.status_code, "moved on" in stale.json()["error"]) == (409, True)


def test_the_same_command_twice_gets_the_same_answer(world: World, site: Site) -> None:
    with nothing_changes(world, site):
        first, second = (site.command("pause", identity="same") for _ in range(2))
        assert (first.status_code, first.text) == (second.status_code, second.text)
        assert first.status_code == 409
        assert site.command("resume", identity="same").status_code == 409


@pytest.mark.parametrize("key", ["", "wrong"])
def test_every_door_wants_a_key(world: World, key: str) -> None:
    doors = (
        ("POST", "alerts"), ("GET", "rollouts"), ("GET", "rollouts/p/t/e"), ("POST", "rollouts/p/t/e/pause"),
        ("GET", "dashboard"), ("GET", "health"),
    )  # fmt: skip
    assert {world.call(method, path, key=key).status_code for method, path in doors} == {401}
    url = f"{world.env['FUNCTIONS_URL']}/runtime/webhooks/EventGrid?functionName=on_model_registered"
    event = documented(world.workspace_id, "m", "1")
    for wrong in (key, world.env["FUNCTIONS_KEY"]):
        headers = {"aeg-event-type": "Notification", "x-functions-key": wrong}
        assert requests.post(url, json=[event], headers=headers, timeout=30).status_code in (401, 403)
