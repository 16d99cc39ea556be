"""Load goes out one request after another, and ends when it should."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cloud.scoring import Scoring
from rollout.sending import BYTES_A_SECOND, LOOK_WITHIN, NEWS_EVERY, one_after_another
from tests.cloud.wire import Reply, Wire, trusted
from tests.rollout.world import NOW


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    with trusted(tmp_path) as running:
        running.reply = Reply(200, b"{}")
        yield running


@pytest.fixture
def scoring(wire: Wire) -> Iterator[Scoring]:
    with Scoring(f"{wire.url}/score", "the-key") as made:
        yield made


class Clock:
    """Each reading is `step` later than the one before, and waiting takes the time it takes."""

    def __init__(self, step: timedelta) -> None:
        self._now, self._step = NOW, step

    def wait(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)

    def __call__(self) -> datetime:
        self._now += self._step
        return self._now


def send(
    scoring: Scoring, *, count: int = 30, step: timedelta = timedelta(), news: bool = False, request: object = 1
) -> int:
    """How many of the requests were answered."""
    clock, requests = Clock(step), [request] * count
    return one_after_another(scoring, requests, clock=clock, wait=clock.wait, new_id=lambda: "0", news=lambda: news)


def test_load_is_sent_one_after_another_until_it_is_all_sent(wire: Wire, scoring: Scoring) -> None:
    assert send(scoring) == len(wire.asked) == 30


@pytest.mark.parametrize("status", [408, 429, 503])
def test_the_first_sign_of_too_much_ends_the_load(wire: Wire, scoring: Scoring, status: int) -> None:
    wire.reply = Reply(status)
    assert send(scoring) == len(wire.asked) == 1


def test_a_model_that_fails_does_not_end_the_load_since_that_is_evidence(wire: Wire, scoring: Scoring) -> None:
    wire.reply = Reply(424)
    assert send(scoring, count=5) == 5


def test_an_endpoint_that_does_not_answer_ends_the_load() -> None:
    with Scoring("https://127.0.0.1:1/score", "k") as nobody:
        assert send(nobody) == 0


def test_load_has_an_end_in_time(scoring: Scoring) -> None:
    second = timedelta(seconds=1)
    assert send(scoring, step=second / 2) <= LOOK_WITHIN / second
    assert send(scoring, step=second / 2) >= 6


def test_large_requests_are_spread_over_the_time_so_that_clients_keep_their_bandwidth(scoring: Scoring) -> None:
    """The first second's worth, and then one each second until the look's time is over."""
    assert send(scoring, request="x" * BYTES_A_SECOND) in (11, 12)


def test_whatever_comes_into_the_inbox_ends_the_load_within_a_second_also_while_it_waits(scoring: Scoring) -> None:
    assert send(scoring, step=NEWS_EVERY / 4, news=True) <= 4
    assert send(scoring, count=4, step=NEWS_EVERY / 4, news=False) == 4
    assert send(scoring, request="x" * BYTES_A_SECOND, news=True) in (1, 2)
