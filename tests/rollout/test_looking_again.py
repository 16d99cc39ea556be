"""A look that could not be finished is made again: by the timer when it is due, else because the look itself asks."""

from __future__ import annotations

from datetime import timedelta

from rollout.phases import Phase
from rollout.reconcile import _timer_asks
from rollout.store import Kept
from tests.rollout.world import NOW, standing


def kept(next_look: timedelta | None) -> Kept:
    at = NOW + next_look if next_look is not None else None
    return Kept(standing(Phase.ROLLED_BACK, next_look=at), "etag")


def test_the_timer_asks_again_for_what_is_due() -> None:
    assert _timer_asks(kept(timedelta()), NOW)
    assert _timer_asks(kept(timedelta(seconds=-30)), NOW)


def test_an_alert_at_a_finished_rollout_that_waits_a_day_to_delete_is_asked_for_by_the_look_that_failed() -> None:
    assert not _timer_asks(kept(timedelta(hours=23)), NOW)
    assert not _timer_asks(kept(None), NOW)
    assert not _timer_asks(None, NOW)
