"""A new container's first answers are slow and say nothing of the version: they are judged for neither deployment."""

from __future__ import annotations

from datetime import timedelta

import pytest

from policy.model import Canary, Full, Shadow, Step
from rollout.observe import _warm_up
from rollout.phases import Phase
from tests.rollout.world import POLICY, standing


@pytest.mark.parametrize(
    ("shortest", "left_out"),
    [
        (timedelta(hours=1), timedelta(minutes=1)),
        (timedelta(minutes=2), timedelta(minutes=1)),
        (timedelta(seconds=10), timedelta(seconds=5)),
        (timedelta(), timedelta()),
    ],
)
def test_half_of_a_steps_shortest_stay_but_at_most_a_minute_is_not_judged(
    shortest: timedelta, left_out: timedelta
) -> None:
    canary = POLICY.model_copy(update={"steps": (Canary(traffic_percent=10, at_least=shortest),)})
    bake = POLICY.model_copy(update={"steps": (Full(bake=shortest),)})

    assert _warm_up(canary, standing(Phase.CANARY, step=0)) == left_out
    assert _warm_up(bake, standing(Phase.FULL, step=0)) == left_out


@pytest.mark.parametrize(
    ("phase", "step"),
    [
        (Phase.SHADOW, Shadow(mirror_percent=5, warm_up=timedelta(minutes=5))),
        (Phase.CANARY, Canary(traffic_percent=10, warm_up=timedelta(minutes=5))),
        (Phase.FULL, Full(warm_up=timedelta(minutes=5))),
    ],
)
def test_a_step_may_say_how_long_a_model_takes_to_warm_up(phase: Phase, step: Step) -> None:
    assert _warm_up(POLICY.model_copy(update={"steps": (step,)}), standing(phase, step=0)) == timedelta(minutes=5)


def test_a_step_may_say_that_every_request_is_judged() -> None:
    canary = Canary(traffic_percent=10, warm_up=timedelta())
    assert _warm_up(POLICY.model_copy(update={"steps": (canary,)}), standing(Phase.CANARY, step=0)) == timedelta()
