"""A look's lease is renewed in time, and not at every step."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from rollout.renewing import MOMENT, sparingly
from rollout.store import LEASE_SECONDS
from tests.rollout.world import NOW

NEEDED = timedelta(seconds=30)
"""An ARM write starts with so much left (contracts: who may write, and for how long)."""


class Time:
    """A clock that the test sets, and the renewals by it."""

    def __init__(self) -> None:
        self.now = NOW
        self.renewed: list[datetime] = []
        self.ask = sparingly(lambda: self.renewed.append(self.now), lambda: self.now, NOW)


@pytest.fixture
def time() -> Time:
    return Time()


def test_a_lease_that_was_just_taken_is_not_renewed(time: Time) -> None:
    for seconds in range(10):
        time.now = NOW + timedelta(seconds=seconds)
        time.ask()
    assert time.renewed == []


def test_it_is_renewed_once_a_moment_however_often_it_is_asked_for(time: Time) -> None:
    for tenths in range(600):
        time.now = NOW + timedelta(seconds=tenths / 10)
        time.ask()
    assert time.renewed == [NOW + n * MOMENT for n in range(1, 6)]


def test_whoever_asked_has_what_a_write_to_azure_needs() -> None:
    assert timedelta(seconds=LEASE_SECONDS) - MOMENT >= NEEDED


@pytest.mark.parametrize("jump", [timedelta(seconds=-1), timedelta(hours=-1), timedelta(hours=1)])
def test_after_the_clock_was_set_it_is_renewed(time: Time, jump: timedelta) -> None:
    time.now += jump
    time.ask()
    time.ask()
    assert time.renewed == [NOW + jump]
