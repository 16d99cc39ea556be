"""At 200 requests a second nobody notices that a version is promoted, or taken back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.loop.alerts import metric_alert
from tests.loop.clients import Clients
from tests.loop.policies import CANARY, FULL, LONG_CANARY, RETIRE, SHADOW
from tests.loop.site import Site
from tests.loop.world import World

CALLERS = 10
"""Each asks about 25 times a second: a pause of 35 ms and an answer of a few."""


@contextmanager
def crowd(site: Site) -> Iterator[list[Clients]]:
    """Many callers at once."""
    with ExitStack() as stack:
        yield [stack.enter_context(site.clients()) for _ in range(CALLERS)]


def test_under_load_no_request_fails_while_a_version_is_promoted_and_the_next_is_rolled_back(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    site = world.live_site(steps=(SHADOW, CANARY, FULL, RETIRE))
    with crowd(site) as callers:
        started = time.monotonic()
        site.register("2")
        site.wait_for("done", version="2")
        site.write_policy(steps=(LONG_CANARY, FULL))
        site.register("3")
        site.wait_for_split({"2": 50, "3": 50})
        callers[0].wait_for_answers(10, by="3")
        assert world.alert(metric_alert(site.endpoint_id)).status_code == 202
        site.wait_for("rolled_back", version="3")
        callers[0].wait_for_answers(10, by="2")
        seconds = time.monotonic() - started

    answers = sum(sum(one.answers.values()) for one in callers)
    with capsys.disabled():
        print(f"\n{answers} requests in {seconds:.0f} s, {answers / seconds:.0f} a second")
    assert [dict(one.failures) for one in callers] == [{}] * CALLERS
    assert all(one.answers[version] for one in callers for version in ("1", "2", "3"))
    assert site.split() == ({"2": 100}, {})
