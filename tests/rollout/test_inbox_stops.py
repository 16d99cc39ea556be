"""What in the inbox keeps a look from writing: what speaks against the write, not what waits for a listing."""

from __future__ import annotations

import pytest

from rollout.inbox import Inbox, stops

ALERT = ("a", {"kind": "alert", "action": "rollback"})
PAUSE = ("p", {"kind": "command", "action": "pause"})
REGISTERED = ("r", {"kind": "registered"})
START = ("s", {"kind": "command", "action": "start"})


@pytest.mark.parametrize("item", [ALERT, PAUSE], ids=["alert", "pause"])
def test_an_alert_or_a_persons_word_that_nobody_read_yet_stops_the_write(item: tuple[str, dict[str, str]]) -> None:
    assert stops([REGISTERED, item])


def test_a_version_that_cannot_be_listed_now_does_not_stop_the_one_that_is_on_its_way() -> None:
    assert not stops([REGISTERED, START])


def test_a_command_that_the_door_refused_is_not_done_but_told_in_the_history() -> None:
    word = {
        "kind": "command",
        "action": "promote",
        "reason": "hurry",
        "who": "ann",
        "at": "2026-05-04T12:00:00.000000Z",
    }
    inbox = Inbox((("c", word | {"refused": "the rollout is frozen"}), ("d", word | {"refused": None})))

    assert [one.id for one in inbox.commands] == ["d"]
    assert inbox.notices == ("refused: promote by ann (hurry): the rollout is frozen",)
