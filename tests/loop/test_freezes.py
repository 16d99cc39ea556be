"""A freeze written from a shell stops the running app's rollouts, is shown, and ends: on the real storage."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from cloud.blobs import Blobs
from cloud.identity import credential
from rollout.__main__ import main
from rollout.freezes import Freezes
from rollout.place import Place
from tests.loop.policies import CANARY, FULL, RETIRE
from tests.loop.world import World

PLACE = Place("credit", "production", "credit", "")


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


def freezes(world: World, clock: Clock, fresh: timedelta = timedelta()) -> Freezes:
    """The app's reader, on the stack's storage."""
    return Freezes(Blobs(world.env["UNDERSTUDY_BLOB_URL"], credential()), clock, fresh)


def frozen_by_hand(world: World, name: str, text: str) -> None:
    """Somebody writes a freeze blob without the command."""
    Blobs(world.env["UNDERSTUDY_BLOB_URL"], credential()).write("state", f"freezes/{name}", text.encode())


def test_a_frozen_rollout_waits_is_shown_and_goes_on_when_the_freeze_is_ended(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    site = world.live_site(steps=(CANARY, FULL, RETIRE))
    scope = f"{site.policy}/local"
    assert main(["freeze", scope, "--for", "1h", "--reason", "year-end close", "--owner", "ann", "--id", "t-1"]) == 0
    try:
        with site.clients() as clients:
            site.register("2")
            # A freeze is known within seconds, not at once: the deployment may be under way by then, and no traffic is.
            held = site.wait_for_reason("by ann: year-end close")
            assert (held["phase"], held["flags"]) == ("deploying", ["frozen"])
            assert site.split() == ({"1": 100}, {})
            assert {one["id"] for one in world.health()["freezes"]} == {"t-1"}
            page = world.call("GET", "dashboard").text
            assert f"Frozen: {scope}" in page
            capsys.readouterr()
            assert main(["freezes"]) == 0
            assert "year-end close" in capsys.readouterr().out

            assert main(["unfreeze", "t-1"]) == 0
            site.wait_for("done", version="2")
        assert not clients.failures
    finally:
        main(["unfreeze", "t-1"])


def test_a_freeze_holds_its_scope_until_it_ends_and_is_deleted_a_day_later(world: World) -> None:
    clock = Clock()
    frozen_by_hand(world, "t-2.json", _body("credit/production", clock.now + timedelta(hours=1)))
    frozen_by_hand(world, "t-3.json", _body("other", clock.now + timedelta(hours=1)))
    reader = freezes(world, clock)
    assert [one.id for one in reader.at(PLACE)] == ["t-2"]

    clock.now += timedelta(hours=2)
    assert reader.at(PLACE) == ()
    assert {"t-2", "t-3"} <= {one.id for one in reader.all()}

    clock.now += timedelta(days=1)
    reader.all()
    assert not [name for name in world.names("state", "freezes/") if name.endswith(("t-2.json", "t-3.json"))]


def test_a_listing_serves_for_a_looks_pace(world: World) -> None:
    clock = Clock()
    reader = freezes(world, clock, timedelta(seconds=30))
    assert reader.at(PLACE) == ()
    frozen_by_hand(world, "t-4.json", _body("credit", clock.now + timedelta(hours=1)))
    try:
        assert reader.at(PLACE) == ()
        clock.now += timedelta(seconds=30)
        assert [one.id for one in reader.at(PLACE)] == ["t-4"]
    finally:
        reader.remove("t-4")


def test_a_freeze_that_cannot_be_read_freezes_everything_and_says_where_it_is(world: World) -> None:
    frozen_by_hand(world, "t-5.json", '{"scope": "credit", "owner": "ann"}')
    reader = freezes(world, Clock())
    try:
        (found,) = reader.at(Place("any", "thing", "else", ""))
        assert found.reason == "state/freezes/t-5.json cannot be read (it has no 'until'); mend it, or unfreeze t-5"
    finally:
        assert reader.remove("t-5")
    assert reader.at(PLACE) == ()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["freeze", "a b", "--for", "1h", "--reason", "r"], "scope 'a b': write `all`, POLICY"),
        (["freeze", "all", "--until", "2020-01-01T00:00:00Z", "--reason", "r", "--owner", "ann"], "is in the past"),
        (["freeze", "all", "--for", "1h", "--reason", " ", "--owner", "ann"], "reason: a freeze needs one"),
        (["freeze", "all", "--for", "1h", "--reason", "r", "--owner", "ann", "--id", "../x"], "use letters, digits"),
        (["freeze", "all", "--for", "1h", "--reason", "r", "--owner", ""], "owner: a freeze needs one"),
        (["unfreeze", "never-was"], "there is no freeze never-was"),
        (["unfreeze", "../policies/x"], "there is no freeze ../policies/x"),
    ],
)
def test_a_freeze_that_would_stop_nothing_is_refused(
    world: World, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert main(arguments) == 1
    assert told in capsys.readouterr().err
    assert not [name for name in world.names("state", "freezes/") if "x" in name]


def test_a_scope_that_names_nothing_is_refused_with_what_there_is(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    site = world.bare_site()
    site.write_policy()
    order = ("--for", "1h", "--reason", "r", "--owner", "ann", "--id", "t-7")
    for scope, told in {
        site.policy.replace("p", "q", 1): f"no policy called 'qolicy-{site.mark}'; did you mean '{site.policy}'?",
        f"{site.policy}/locla": f"no target of {site.policy} called 'locla'; did you mean 'local'?",
        f"{site.policy}/local/other": f"no endpoint of {site.policy}/local called 'other'; there are: {site.endpoint}",
    }.items():
        assert main(["freeze", scope, *order]) == 1
        assert told in capsys.readouterr().err
    assert "freezes/t-7.json" not in world.names("state", "freezes/")
    for scope in (site.policy, f"{site.policy}/local", f"{site.policy}/local/{site.endpoint}"):
        assert main(["freeze", scope, *order]) == 0
        assert main(["unfreeze", "t-7"]) == 0


def test_a_freeze_is_not_overwritten_by_another_of_the_same_id(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    site = world.bare_site()
    site.write_policy()
    command = ["freeze", site.policy, "--for", "1h", "--reason", "r", "--owner", "ann", "--id", "t-6"]
    try:
        assert main(command) == 0
        assert main(command) == 1
        assert "unfreeze it, or give another --id" in capsys.readouterr().err
    finally:
        main(["unfreeze", "t-6"])


def _body(scope: str, until: datetime) -> str:
    return json.dumps({"scope": scope, "owner": "ann", "reason": "r", "until": until.isoformat()})
