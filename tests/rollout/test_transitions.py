"""What a rollout tells the outside: one event for each thing that changed, under an id that stays the same."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rollout.cards import TITLES, slack, teams, title
from rollout.phases import Flag, Phase
from rollout.record import Event, Outbox
from rollout.transitions import MOST, PREFIX, announced
from tests.rollout import journey
from tests.rollout.azure import Loop
from tests.rollout.world import HARM, NOW, OLD, SAFE, V1, V2, V3, alert, command, standing, versions


def told(loop: Loop) -> list[tuple[str, str, str]]:
    """(what, severity, phase) of everything that was announced."""
    return [(e.type.removeprefix("Understudy.Rollout."), e.severity, e.data["phase"]) for e in loop.events]


def test_a_rollout_that_goes_well_tells_its_beginning_each_step_and_its_end() -> None:
    assert told(journey.done()) == [
        ("Started", "info", "deploying"),
        ("PhaseChanged", "info", "testing"),
        ("PhaseChanged", "info", "shadow"),
        ("PhaseChanged", "info", "canary"),
        ("ApprovalNeeded", "warning", "awaiting_approval"),
        ("PhaseChanged", "info", "waiting"),
        ("PhaseChanged", "info", "checking"),
        ("PhaseChanged", "info", "full"),
        ("PhaseChanged", "info", "retiring"),
        ("Done", "info", "done"),
    ]


def test_a_rollback_is_told_when_it_begins_and_again_when_it_was_read_back_with_the_time_it_took() -> None:
    loop = journey.in_canary()
    loop.look(evidence=HARM)
    begun = loop.events[-1]
    loop.until_read_back()

    assert told(loop)[-2:] == [("RollbackBegun", "error", "rolling_back"), ("RolledBack", "error", "rolled_back")]
    assert begun.data["reasons"] == ["error_rate: " + loop.events[-1].data["reasons"][0].removeprefix("error_rate: ")]
    assert begun.data["previous"] == {"phase": "canary", "step": 2}
    assert loop.events[-1].data["rollback"] == {"seconds": 30.0, "blocked_seconds": 0.0}
    assert loop.events[-1].data["traffic"] == {OLD: 100}


def test_whatever_way_back_has_ended_its_event_tells_how_long_it_took() -> None:
    superseded = journey.in_canary()
    superseded.look(versions=versions(V1, V2, V3))
    superseded.until_read_back()
    slow = journey.done()
    slow.look(commands=(command("rollback"),), versions=versions(V1, V2))
    while slow.phase() is not Phase.DONE:
        slow.azure.deploy()
        slow.azure.settle()
        slow.look(timedelta(hours=1), smoke=journey.WELL)
    never_up = journey.registered(journey.old_is_live(), V1, V2)
    never_up.look()
    never_up.azure.deploy("Failed")
    never_up.look()

    assert [told(one)[-1][0] for one in (superseded, slow, never_up)] == ["Superseded", "Done", "Failed"]
    assert superseded.events[-1].data["rollback"] == {"seconds": 30.0, "blocked_seconds": 0.0}
    assert slow.events[-1].data["kind"] == "rollback"
    assert slow.events[-1].data["rollback"]["seconds"] > 0
    assert "rollback" not in never_up.events[-1].data, "no traffic had to be moved"


def test_a_hold_is_told_once_and_its_end_too() -> None:
    loop = journey.in_canary()
    before = len(loop.events)
    loop.look(alerts=(alert("hold"),))
    loop.look()
    loop.look(alerts=(alert("ignore", fired=False),), evidence=SAFE)

    assert told(loop)[before:] == [("Held", "warning", "canary"), ("Resumed", "info", "canary")]
    assert loop.events[before].data["flags"] == ["held"]


def test_going_back_while_paused_is_no_resumption() -> None:
    loop = journey.in_canary()
    loop.look(commands=(command("pause"),))
    loop.look(alerts=(alert("rollback"),))

    assert [name for name, _, _ in told(loop)][-2:] == ["Held", "RollbackBegun"]


def test_a_rollback_after_done_and_a_newer_version_are_rollouts_of_their_own_with_ids_of_their_own() -> None:
    loop = journey.before_retirement()
    loop.look(alerts=(alert("rollback"),))
    loop.until_read_back()
    loop.look(versions=versions(V1, V2, V3))

    assert told(loop)[-3:] == [
        ("RollbackBegun", "error", "rolling_back"),
        ("RolledBack", "error", "rolled_back"),
        ("Started", "info", "deploying"),
    ]
    ids = [event.id.removeprefix("credit/production/credit/") for event in loop.events]
    assert [one.split("/")[0] for one in ids[-3:]] == ["2", "2", "3"]
    assert len(set(ids)) == len(ids)


def test_the_same_change_has_the_same_id_when_the_look_that_saw_it_died_before_it_saved() -> None:
    before = standing(Phase.CANARY)
    after = replace(before, phase=Phase.FULL, step=6)

    first, again = (announced(before, after, NOW + timedelta(seconds=late)) for late in (0, 30))
    assert (
        [e.id for e in first.outbox.events] == [e.id for e in again.outbox.events] == ["credit/production/credit/2/1"]
    )


def test_events_that_still_wait_stay_in_front_also_when_another_rollout_begins() -> None:
    before = announced(standing(Phase.CANARY), standing(Phase.FULL), NOW)
    begun = replace(standing(Phase.DEPLOYING), number=3, outbox=Outbox())

    ids = [event.id for event in announced(before, begun, NOW).outbox.events]
    assert ids == ["credit/production/credit/2/1", "credit/production/credit/3/1"]


def test_while_nothing_takes_them_the_record_keeps_the_newest_events_only() -> None:
    record = standing(Phase.CANARY)
    for number in range(MOST + 5):
        flags = frozenset({Flag.PAUSED}) if number % 2 == 0 else frozenset[Flag]()
        record = announced(record, replace(record, flags=flags), NOW)

    assert len(record.outbox.events) == MOST
    assert record.outbox.events[-1].id.endswith(f"/{MOST + 5}")


def test_a_record_with_waiting_events_is_due_at_once_even_when_its_rollout_is_over() -> None:
    over = replace(standing(Phase.DONE), next_look=None)
    assert over.due is None

    assert announced(standing(Phase.RETIRING), over, NOW).due == NOW


EVENT = Event(
    "credit/production/credit/2/7",
    "Understudy.Rollout.RolledBack",
    NOW,
    "error",
    {
        "policy": "credit",
        "target": "production",
        "endpoint": "credit",
        "model": "card",
        "version": "2",
        "phase": "rolled_back",
        "flags": ["held"],
        "traffic": {OLD: 100},
        "mirror": {},
        "reasons": ["rolled back by <@U123> & co: <https://evil.example|click>"],
        "rollback": {"seconds": 31.25, "blocked_seconds": 0.0},
    },
)


def texts(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def test_a_teams_card_says_what_happened_where_and_why() -> None:
    (attachment,) = teams(EVENT)["attachments"]
    card = attachment["content"]

    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert card["body"][0]["style"] == "attention"
    assert card["body"][0]["items"][0]["text"] == title(EVENT) == "Rolled back: card 2 on credit (production)"
    assert {"title": "Time to go back", "value": "31.2 s"} in card["body"][-1]["facts"]
    assert {"title": "Live traffic", "value": f"100 % {OLD}"} in card["body"][-1]["facts"]


def test_a_slack_message_mentions_nobody_whatever_somebody_wrote_as_a_reason() -> None:
    body = slack(EVENT)

    assert body["text"].startswith(":rotating_light: Rolled back: card 2")
    assert [block["type"] for block in body["blocks"]] == ["header", "section", "section"]
    assert "<" not in texts(body)
    assert "&lt;@U123&gt; &amp; co" in texts(body)


@pytest.mark.parametrize("event", journey.done().events, ids=lambda event: event.data["phase"])
def test_every_event_has_a_card_within_slacks_limits(event: Event) -> None:
    body = slack(replace(event, data={**event.data, "reasons": ["x" * 4000] * 9}))

    assert len(body["blocks"][0]["text"]["text"]) <= 150
    assert all(len(block["text"]["text"]) <= 3000 for block in body["blocks"] if "text" in block)
    assert len(body["blocks"][-1]["fields"]) <= 10
    assert len(teams(event)["attachments"]) == 1


def test_every_type_is_documented() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "events.md").read_text()

    assert all(f"`{PREFIX}{name}`" in documented for name in TITLES)
    assert {event.type.removeprefix(PREFIX) for event in journey.done().events} <= set(TITLES)
