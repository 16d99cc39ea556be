"""A hook that is asked for leave, by the running app: held without it, on with it, back whatever it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import jwt

from tests.board import Board, sitting
from tests.loop import stories
from tests.loop.alerts import metric_alert
from tests.loop.policies import CANARY, FULL, RETIRE
from tests.loop.site import ROLLOUT_SECONDS
from tests.loop.stories import Story, Told
from tests.loop.waiting import wait_until
from tests.loop.world import World


def hook(board: Board, before: str, timeout: str = "2s") -> str:
    return f"""\
hooks:
  - {{name: change-board, url: '{board.url}', before: [{before}], timeout: {timeout}, audience: api://change-board}}
"""


def steps_asked(board: Board) -> list[str]:
    """What leave was asked for, each once, in order."""
    return list(dict.fromkeys(body["to"] for body in board.bodies))


def a_rollout_waits_for_the_leave_of_a_hook_and_goes_on_with_it(world: World) -> None:
    with sitting(world.stack.folder) as board:
        board.status, board.answer = 403, b"the board meets <b>at ten</b>"
        site = world.live_site(steps=(CANARY, FULL, RETIRE), more=hook(board, "canary, full"))
        with site.clients() as clients:
            site.register("2")
            held = site.wait_for_reason(
                "change-board gives no leave for canary 50 %: 403 the board meets <b>at ten</b>"
            )
            assert (held["phase"], held["flags"]) == ("deploying", ["held"])
            assert site.split() == ({"1": 100}, {})
            assert "&lt;b&gt;at ten" in world.call("GET", "dashboard").text
            board.silent.set()
            site.wait_for_reason("change-board gives no leave for canary 50 %: no answer within 2 s")
            board.status, board.answer = 200, b"CHG-1"
            board.silent.clear()
            done = site.wait_for("done", version="2")
        assert not clients.failures
        assert steps_asked(board) == ["canary 50 %", "full"]
        assert "change-board gives leave for full: 200 CHG-1" in [entry["text"] for entry in done["history"]]
        body = board.bodies[0]
        assert body["id"] == f"{site.policy}/local/{site.endpoint}/{done['number']}/0"
        assert {key: body[key] for key in ("policy", "endpoint", "model", "version", "from", "to", "step")} == {
            "policy": site.policy, "endpoint": site.endpoint, "model": site.model, "version": "2", "from": "start",
            "to": "canary 50 %", "step": 0,
        }  # fmt: skip
        token = jwt.decode(str(board.tokens[0]).removeprefix("Bearer "), options={"verify_signature": False})
        assert token["aud"] == "api://change-board"
        assert "each decided the same again, byte for byte" in site.replayed(done["number"])


def an_alert_takes_the_traffic_back_while_a_hook_is_still_thinking(world: World) -> None:
    with sitting(world.stack.folder) as board:
        site = world.live_site(steps=(CANARY, FULL), more=hook(board, "full", "10s"))
        board.silent.set()
        with site.clients() as clients:
            site.register("2")
            wait_until(lambda: board.bodies, seconds=ROLLOUT_SECONDS, told=lambda: str(site.rollout()))
            asked, begun = len(board.bodies), datetime.now(UTC)
            assert site.split() == ({"1": 50, "2": 50}, {})
            assert world.alert(metric_alert(site.endpoint_id)).status_code == 202
            over = site.wait_for("rolled_back", version="2")
        assert site.split() == ({"1": 100}, {})
        assert not clients.failures
        assert len(board.bodies) == asked, "going back asks nobody"
        back = next(entry for entry in over["history"] if entry["text"].startswith("going back: "))
        assert datetime.fromisoformat(back["at"]) - begun < timedelta(seconds=8), "it did not wait for the hook's 10 s"


@stories.of(
    a_rollout_waits_for_the_leave_of_a_hook_and_goes_on_with_it,
    an_alert_takes_the_traffic_back_while_a_hook_is_still_thinking,
)
def test(story: Story, told: Told) -> None:
    told.to_its_end(story)
