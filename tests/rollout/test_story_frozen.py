"""What a freeze stops, what it does not, and what becomes of time that passes in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rollout.frozen import EVERYTHING, NEVER, covers
from rollout.observation import Freeze
from rollout.phases import Flag, Phase
from rollout.place import Place
from tests.rollout.azure import Loop
from tests.rollout.journey import (
    DAY,
    HOUR,
    UNDER_WAY,
    awaiting_approval,
    deployed,
    in_canary,
    in_shadow,
    old_is_live,
    registered,
)
from tests.rollout.world import (
    NEW,
    NOW,
    OLD,
    PLACE,
    POLICY,
    POLICY_TEXT,
    SAFE,
    UNKNOWN,
    V1,
    V2,
    alert,
    command,
    decided,
    endpoint,
    freeze,
    policy_of,
    standing,
)

WINDOW = """\
freeze:
  - {days: [mon], from: "16:00", to: "24:00", time_zone: Europe/Amsterdam, reason: nobody is here}
"""
MONDAY_EVENING = datetime(2026, 5, 4, 15, 0, tzinfo=UTC)  # 17:00 in Amsterdam


def frozen(loop: Loop, lasting: timedelta = DAY) -> tuple[Freeze, ...]:
    """A freeze that began with the loop's present."""
    return (freeze(loop.now + lasting),)


def test_the_window_of_a_policy_stops_the_next_step_and_the_end_of_the_window_lets_it_go() -> None:
    loop = in_shadow()
    loop.policy = policy_of(POLICY_TEXT + WINDOW)
    loop.now = MONDAY_EVENING
    loop.look(evidence=SAFE)
    assert loop.record is not None
    assert (loop.phase(), loop.record.flags) == (Phase.SHADOW, frozenset({Flag.FROZEN}))
    assert "frozen until 2026-05-04 22:00 UTC by the policy: nobody is here" in loop.record.reasons

    loop.now = MONDAY_EVENING + timedelta(hours=7)
    loop.look(evidence=SAFE)
    assert (loop.phase(), loop.record.flags) == (Phase.CANARY, frozenset())


def test_a_freeze_says_who_why_and_until_when_once_in_the_history() -> None:
    loop = in_shadow()
    until = (freeze(datetime(2026, 5, 6, 8, 0, tzinfo=UTC)),)
    for _ in range(3):
        loop.look(evidence=SAFE, freezes=until)
    loop.look(evidence=UNKNOWN)

    assert loop.record is not None
    said = [entry.text for entry in loop.record.entries if "frozen" in entry.text]
    assert said == ["frozen until 2026-05-06 08:00 UTC by ann: year-end close", "no longer frozen"]


def test_a_frozen_rollout_makes_no_deployment() -> None:
    loop = registered(old_is_live(), V1, V2)
    loop.look(freezes=frozen(loop))
    assert NEW not in loop.azure.deployments
    loop.look()
    assert loop.azure.deployments[NEW] == "Creating"


def test_a_mirror_that_was_lost_is_put_back_only_after_the_freeze() -> None:
    loop = in_shadow()
    loop.azure.mirror = {}
    loop.look(freezes=frozen(loop))
    assert loop.azure.under_way is None
    loop.look()
    assert loop.azure.under_way == ({OLD: 100}, {NEW: 20})


def test_harm_goes_back_in_a_freeze() -> None:
    loop = in_canary()
    loop.look(alerts=(alert("rollback"),), freezes=frozen(loop))
    assert (loop.phase(), loop.azure.under_way) == (Phase.ROLLING_BACK, ({OLD: 100}, {}))


def test_a_failed_candidate_is_deleted_in_a_freeze_for_that_moves_no_traffic() -> None:
    loop = in_canary()
    loop.look(alerts=(alert("rollback"),), freezes=frozen(loop))
    loop.until_read_back(freezes=frozen(loop))
    loop.look(2 * DAY, freezes=frozen(loop))
    assert loop.azure.deployments[NEW] == "Deleting"


def test_a_deadline_that_passes_in_a_freeze_holds_and_leaves_time_to_mend_it_afterwards() -> None:
    loop = in_canary()
    for _ in range(4):
        loop.look(DAY, evidence=UNKNOWN, freezes=frozen(loop, 2 * DAY))
    assert loop.record is not None
    assert (loop.phase(), loop.record.flags) == (Phase.CANARY, frozenset({Flag.HELD, Flag.FROZEN}))

    loop.look(timedelta(hours=35), evidence=UNKNOWN)
    assert (loop.phase(), loop.record.flags) == (Phase.CANARY, frozenset({Flag.HELD})), "12 h and a day were not frozen"
    loop.look(2 * HOUR, evidence=UNKNOWN)
    assert loop.phase() is Phase.ROLLING_BACK


NIGHTLY = """\
freeze:
  - {from: "18:00", to: "08:00", time_zone: UTC, reason: nobody is here}
"""


def test_a_freeze_of_every_night_puts_no_wait_off_for_ever() -> None:
    canary = in_canary()
    start = registered(old_is_live(), V1, V2)
    start.azure.traffic = {OLD: 60, "theirs": 40}
    retiring = UNDER_WAY[Phase.RETIRING]()
    for loop in (canary, start, retiring):
        loop.policy = policy_of(POLICY_TEXT + NIGHTLY)
        loop.azure.locked = True
        for _ in range(12 * 24 // 5):
            loop.azure.settle()
            loop.look(5 * HOUR, evidence=UNKNOWN)

    assert (canary.phase(), start.phase()) == (Phase.ROLLED_BACK, Phase.FAILED)
    assert retiring.phase() is Phase.DONE


def test_an_approval_that_nobody_gives_goes_back_in_a_freeze_as_well() -> None:
    loop = awaiting_approval()
    loop.look(3 * DAY, freezes=frozen(loop, 9 * DAY))
    assert loop.phase() is Phase.ROLLING_BACK


def test_what_was_approved_in_a_freeze_goes_on_after_it_even_past_the_deadline() -> None:
    loop = awaiting_approval()
    loop.look(commands=(command("approve"),), freezes=frozen(loop))
    loop.look(3 * DAY, freezes=frozen(loop, 9 * DAY))
    assert loop.phase() is Phase.AWAITING_APPROVAL
    loop.look()
    assert loop.phase() is Phase.WAITING


def test_a_promotion_asked_for_in_a_freeze_is_not_done_and_the_history_says_so() -> None:
    loop = in_canary()
    loop.look(commands=(command("promote"),), freezes=frozen(loop))
    assert loop.record is not None
    assert (loop.phase(), loop.azure.under_way) == (Phase.CANARY, None)
    assert "not promoted while frozen: end the freeze and ask again" in [entry.text for entry in loop.record.entries]


def test_a_rollout_that_could_not_begin_in_a_long_freeze_has_its_whole_day_afterwards() -> None:
    loop = registered(old_is_live(), V1, V2)
    for _ in range(9):
        loop.look(DAY, freezes=frozen(loop, 2 * DAY))
    assert loop.phase() is Phase.DEPLOYING
    loop.look(timedelta(hours=23))
    assert loop.azure.deployments[NEW] == "Creating"


def test_a_smoke_test_that_could_not_be_made_in_a_freeze_has_its_time_afterwards() -> None:
    loop = deployed(registered(old_is_live(), V1, V2))
    loop.look(DAY, freezes=frozen(loop, 2 * DAY))
    assert loop.phase() is Phase.TESTING
    loop.look(timedelta(minutes=20))
    assert loop.phase() is Phase.FAILED


def test_freezes_that_cannot_be_read_stop_what_goes_forward() -> None:
    loop = in_shadow()
    loop.look(2 * HOUR, evidence=SAFE, freezes=None)
    assert loop.record is not None
    assert (loop.phase(), loop.record.flags) == (Phase.SHADOW, frozenset({Flag.FROZEN}))
    loop.look(evidence=SAFE)
    assert loop.phase() is Phase.CANARY


def test_a_freeze_without_an_end_says_that_it_has_none() -> None:
    loop = in_shadow()
    loop.look(freezes=(freeze(NEVER),))
    assert loop.record is not None
    assert "frozen without an end by ann: year-end close" in loop.record.reasons


@pytest.mark.parametrize(
    ("scope", "holds"),
    [
        (EVERYTHING, True),
        ("credit", True),
        ("credit/production", True),
        ("credit/production/credit", True),
        ("Credit/Production/CREDIT", True),
        ("cred", False),
        ("credit/staging", False),
        ("credit/production/other", False),
        ("production", False),
    ],
)
def test_a_scope_holds_the_policy_the_target_or_the_endpoint_that_it_names(scope: str, holds: bool) -> None:
    assert covers(scope, PLACE) is holds
    assert (PLACE.policy, PLACE.target, PLACE.endpoint) == ("credit", "production", "credit")
    assert covers(EVERYTHING, Place("x", "y", "z", ""))


def test_nothing_of_the_policy_is_frozen_where_it_has_no_window() -> None:
    assert POLICY.freeze == ()
    loop = in_shadow()
    loop.now = max(loop.now, NOW) + HOUR
    loop.look(evidence=SAFE)
    assert loop.phase() is Phase.CANARY


def test_a_way_back_that_has_to_make_a_deployment_first_is_not_frozen() -> None:
    record = standing(Phase.DEPLOYING, kind="rollback", since=None)
    decision = decided(record, endpoint({OLD: 100}, new=""), freezes=(freeze(),))
    assert [type(action).__name__ for action in decision.actions] == ["CreateDeployment"]
    assert Flag.FROZEN not in decision.record.flags
