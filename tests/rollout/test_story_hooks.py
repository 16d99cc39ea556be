"""Hooks are asked for leave: without it a step is not entered, and going back never waits for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rollout.hooks import START, asks
from rollout.observation import HookAnswer
from rollout.phases import Flag, Phase
from rollout.record import Wants
from rollout.replay import replay
from tests.rollout.azure import Loop
from tests.rollout.journey import DAY, HOUR, UNDER_WAY, WELL, old_is_live, registered
from tests.rollout.world import (
    HARM,
    NEW,
    OLD,
    POLICY_TEXT,
    SAFE,
    UNKNOWN,
    V1,
    V2,
    V3,
    alert,
    command,
    decided,
    endpoint,
    freeze,
    policy_of,
    standing,
    versions,
)

BEFORE = "start, shadow, canary, full, retire"
CANARY, FULL = 2, 6
HELD = frozenset({Flag.HELD})


def hooked(loop: Loop, before: str = BEFORE, *names: str) -> Loop:
    """The loop under a policy with these hooks (one: `board`)."""
    lines = [f"  - {{name: {n}, url: 'https://{n}.example/', before: [{before}]}}\n" for n in names or ("board",)]
    loop.policy = policy_of(POLICY_TEXT + "hooks:\n" + "".join(lines))
    return loop


def shadow_that_is_safe(before: str = BEFORE, *names: str) -> Loop:
    """A shadow which would become a canary if it had leave."""
    return hooked(UNDER_WAY[Phase.SHADOW](), before, *names)


def leave(step: int, hook: str = "board") -> HookAnswer:
    return HookAnswer(hook, step, True, "200 CHG-1")


def refusal(step: int, hook: str = "board", text: str = "403 not on a Friday") -> HookAnswer:
    return HookAnswer(hook, step, False, text)


def said(loop: Loop) -> list[str]:
    assert loop.record is not None
    return [entry.text for entry in loop.record.entries]


def state(loop: Loop) -> tuple[Phase, frozenset[Flag]]:
    assert loop.record is not None
    return loop.record.phase, loop.record.flags


def test_a_step_with_a_hook_is_not_entered_before_it_was_asked_and_the_record_says_whose_leave_it_wants() -> None:
    loop = shadow_that_is_safe()
    loop.look(2 * HOUR, evidence=SAFE)
    assert loop.record is not None
    assert state(loop) == (Phase.SHADOW, HELD)
    assert loop.record.reasons[0] == "canary 10 % waits for the leave of board"
    wants = loop.record.wants
    assert wants is not None
    assert (wants.step, wants.hooks, wants.to) == (CANARY, ("board",), "canary 10 %")
    assert wants.why.startswith("error_rate: ")
    assert asks(loop.record)


def test_with_leave_the_step_is_entered_and_written_in_the_same_look_and_the_history_has_the_answer() -> None:
    loop = shadow_that_is_safe()
    loop.look(2 * HOUR, evidence=SAFE, hooks=(leave(CANARY),))
    assert loop.record is not None
    assert state(loop) == (Phase.CANARY, frozenset())
    assert loop.azure.under_way == ({OLD: 90, NEW: 10}, {})
    assert "board gives leave for canary 10 %: 200 CHG-1" in said(loop)
    assert loop.record.wants is None


def test_a_refusal_holds_the_rollout_with_name_and_answer_and_it_is_asked_again_at_each_look() -> None:
    loop = shadow_that_is_safe()
    for _ in range(5):
        loop.look(HOUR, evidence=SAFE, hooks=(refusal(CANARY),))
        assert state(loop) == (Phase.SHADOW, HELD)
        assert loop.record is not None
        assert loop.record.reasons[0] == "board gives no leave for canary 10 %: 403 not on a Friday"
        assert asks(loop.record)
    assert said(loop).count("board gives no leave for canary 10 %: 403 not on a Friday") == 1
    loop.look(evidence=SAFE, hooks=(leave(CANARY),))
    assert loop.phase() is Phase.CANARY


def test_leave_for_another_step_or_from_another_hook_is_no_leave() -> None:
    for answer in (leave(FULL), leave(CANARY, "other")):
        loop = shadow_that_is_safe()
        loop.look(2 * HOUR, evidence=SAFE, hooks=(answer,))
        assert state(loop) == (Phase.SHADOW, HELD)


def test_each_of_several_hooks_has_to_give_leave() -> None:
    loop = shadow_that_is_safe(BEFORE, "board", "desk")
    loop.look(2 * HOUR, evidence=SAFE, hooks=(leave(CANARY), refusal(CANARY, "desk", "no answer within 5 s")))
    assert loop.record is not None
    assert state(loop) == (Phase.SHADOW, HELD)
    assert loop.record.reasons[0] == "desk gives no leave for canary 10 %: no answer within 5 s"
    assert loop.record.wants is not None
    assert loop.record.wants.hooks == ("board", "desk")
    loop.look(evidence=SAFE, hooks=(leave(CANARY), leave(CANARY, "desk")))
    assert loop.phase() is Phase.CANARY


def test_only_the_steps_that_a_hook_names_wait_for_it() -> None:
    loop = shadow_that_is_safe("full")
    loop.look(2 * HOUR, evidence=SAFE)
    assert loop.phase() is Phase.CANARY


@pytest.mark.parametrize(
    ("evidence", "changes"),
    [(UNKNOWN, {}), (SAFE, {"commands": (command("pause"),)}), (SAFE, {"freezes": (freeze(),)})],
    ids=["no evidence", "paused", "frozen"],
)
def test_nobody_is_asked_while_the_step_would_not_be_entered_anyway(evidence: Any, changes: dict[str, Any]) -> None:
    loop = shadow_that_is_safe()
    loop.look(2 * HOUR, evidence=evidence, **changes)
    assert loop.record is not None
    assert loop.phase() is Phase.SHADOW
    assert loop.record.wants is None


@pytest.mark.parametrize(
    "harm",
    [{"evidence": HARM}, {"alerts": (alert("rollback"),)}, {"commands": (command("rollback"),)}],
    ids=["gate", "alert", "person"],
)
@pytest.mark.parametrize("phase", [one for one in UNDER_WAY if one is not Phase.RETIRING])
def test_harm_goes_back_in_the_look_that_sees_it_whatever_a_hook_says_and_asks_nobody(
    phase: Phase, harm: dict[str, Any]
) -> None:
    loop = hooked(UNDER_WAY[phase]())
    loop.look(2 * HOUR, **({"evidence": SAFE} | harm))
    assert loop.record is not None
    assert loop.phase() is Phase.ROLLING_BACK
    assert loop.azure.under_way == ({OLD: 100}, {})
    assert not asks(loop.record)


def test_harm_while_leave_is_waited_for_goes_back_and_no_longer_wants_anything() -> None:
    loop = shadow_that_is_safe()
    loop.look(2 * HOUR, evidence=SAFE, hooks=(refusal(CANARY),))
    loop.look(evidence=HARM, hooks=(refusal(CANARY),))
    assert loop.record is not None
    assert (loop.phase(), loop.record.wants) == (Phase.ROLLING_BACK, None)


def test_a_newer_version_does_not_wait_for_the_leave_of_the_one_it_supersedes() -> None:
    loop = shadow_that_is_safe()
    loop.look(2 * HOUR, evidence=SAFE, hooks=(refusal(CANARY),))
    loop.look(evidence=SAFE, versions=versions(V1, V2, V3))
    assert loop.record is not None
    assert (loop.phase(), loop.record.outcome) == (Phase.ROLLING_BACK, Phase.SUPERSEDED)


def test_leave_that_is_not_given_by_the_steps_deadline_holds_and_later_goes_back() -> None:
    loop = shadow_that_is_safe()
    loop.look(DAY + HOUR, evidence=SAFE, hooks=(refusal(CANARY),))
    assert loop.record is not None
    assert state(loop) == (Phase.SHADOW, HELD)
    assert loop.record.reasons[0] == "not ready by its deadline of 1d"
    loop.look(DAY, evidence=SAFE, hooks=(refusal(CANARY),))
    assert loop.phase() is Phase.ROLLING_BACK


def test_no_deployment_is_made_without_leave_to_start_and_afterwards_nobody_is_asked_about_it_again() -> None:
    loop = hooked(registered(old_is_live(), V1, V2))
    loop.look()
    assert loop.record is not None
    assert loop.record.wants == Wants(START, ("board",), "the start", "version 2 was registered or asked for")
    loop.look(hooks=(refusal(START),))
    assert state(loop) == (Phase.DEPLOYING, HELD)
    assert NEW not in loop.azure.deployments

    loop.look(hooks=(leave(START),))
    assert loop.azure.deployments[NEW] == "Creating"
    loop.azure.deployments[NEW] = "Canceled"
    loop.look()
    loop.azure.deploy()
    loop.look()
    assert loop.azure.deployments[NEW] == "Creating"


def test_a_start_without_leave_fails_after_a_day_like_any_that_cannot_begin() -> None:
    loop = hooked(registered(old_is_live(), V1, V2))
    loop.look(hooks=(refusal(START),))
    loop.look(DAY + HOUR, hooks=(refusal(START),))
    assert loop.record is not None
    assert loop.record.phase in (Phase.ROLLING_BACK, Phase.FAILED)
    assert "board gives no leave for the start" in loop.record.reasons[0]


def test_a_rollout_that_only_observes_asks_nobody() -> None:
    loop = hooked(registered(old_is_live(), V1, V2))
    loop.policy = loop.policy.model_copy(update={"mode": "observe"})
    loop.look()
    assert loop.record is not None
    assert loop.record.wants is None


def test_what_a_person_approved_or_advanced_waits_for_leave_and_is_remembered() -> None:
    loop = hooked(UNDER_WAY[Phase.SHADOW]())
    loop.look(commands=(command("advance"),), evidence=UNKNOWN, hooks=(refusal(CANARY),))
    assert state(loop) == (Phase.SHADOW, HELD)
    loop.look(evidence=UNKNOWN, hooks=(leave(CANARY),))
    assert loop.phase() is Phase.CANARY


def test_a_promotion_needs_the_leave_for_all_traffic_and_one_that_has_none_is_not_remembered() -> None:
    loop = hooked(UNDER_WAY[Phase.CANARY]())
    loop.look(commands=(command("promote"),), evidence=UNKNOWN, hooks=(refusal(FULL),))
    assert state(loop) == (Phase.CANARY, HELD)
    assert "not promoted without leave: ask again when it is given" in said(loop)
    loop.look(evidence=UNKNOWN, hooks=(leave(FULL),))
    assert loop.phase() is Phase.CANARY

    loop.look(commands=(replace(command("promote"), id="again"),), evidence=UNKNOWN, hooks=(leave(FULL),))
    assert (loop.phase(), loop.azure.under_way) == (Phase.FULL, ({NEW: 100}, {}))


def test_the_old_deployment_stays_until_there_is_leave_to_retire_it() -> None:
    loop = hooked(UNDER_WAY[Phase.FULL]())
    loop.look(2 * HOUR, evidence=SAFE, hooks=(refusal(7),))
    assert state(loop) == (Phase.FULL, HELD)
    loop.look(evidence=SAFE, hooks=(leave(7),))
    assert loop.phase() is Phase.RETIRING


def test_a_version_that_gets_no_leave_to_retire_the_old_one_is_done_two_days_later_with_both_up() -> None:
    loop = hooked(UNDER_WAY[Phase.FULL]())
    loop.look(DAY, evidence=SAFE, hooks=(refusal(7),))
    assert state(loop) == (Phase.FULL, HELD)
    loop.look(DAY + 2 * HOUR, evidence=SAFE)
    assert state(loop) == (Phase.FULL, HELD), "not before it was asked once more"
    loop.look(evidence=SAFE, hooks=(refusal(7),))
    assert (loop.phase(), sorted(loop.azure.deployments)) == (Phase.DONE, sorted([OLD, NEW]))
    assert f"done: board gives no leave for retire: 403 not on a Friday; deployment {OLD} stays up" in said(loop)


def test_the_slow_way_back_asks_nobody() -> None:
    policy = policy_of(POLICY_TEXT + f"hooks: [{{name: board, url: 'https://board.example/', before: [{BEFORE}]}}]\n")
    record = standing(Phase.DEPLOYING, kind="rollback", since=None)
    decision = decided(record, endpoint({OLD: 100}, new=""), policy=policy)
    assert [type(action).__name__ for action in decision.actions] == ["CreateDeployment"]
    ready = decided(standing(Phase.DEPLOYING, kind="rollback"), endpoint({OLD: 100}), policy=policy)
    assert (ready.record.phase, ready.record.wants) == (Phase.TESTING, None)


def test_leave_asked_given_and_refused_replays_to_the_same_decisions() -> None:
    loop = hooked(registered(old_is_live(), V1, V2))
    loop.look()
    loop.look(hooks=(refusal(START),))
    loop.look(hooks=(leave(START),))
    loop.azure.deploy()
    loop.look()
    loop.look(smoke=WELL, hooks=(leave(1),))
    loop.until_read_back()
    loop.look(2 * HOUR, evidence=SAFE, hooks=(refusal(CANARY, text="503 \N{SNOWMAN}"),))
    loop.look(alerts=(alert("rollback"),))
    (file,) = loop.files()
    looks = list(replay(file, read=lambda _, text: (loop.place, loop.policy)))
    assert len(looks) == len(file["looks"])
    assert not [one.difference for one in looks if one.difference]


def test_the_deadline_of_a_step_that_says_so_goes_back_at_once() -> None:
    loop = shadow_that_is_safe()
    steps = tuple(
        step.model_copy(update={"then": "rollback"}) if step.kind == "shadow" else step for step in loop.policy.steps
    )
    loop.policy = loop.policy.model_copy(update={"steps": steps})
    loop.look(timedelta(hours=25), evidence=SAFE, hooks=(replace(refusal(CANARY), text="no"),))
    assert loop.phase() is Phase.ROLLING_BACK
