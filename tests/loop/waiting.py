"""The one way in which these tests wait: poll, with a deadline, and tell what was seen when it passes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
LOOK_SECONDS = 0.05


def wait_until(look: Callable[[], T], *, seconds: float, told: Callable[[], str], every: float = LOOK_SECONDS) -> T:
    """What `look` gives once it gives something true; an assertion with `told()` after the deadline."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {told()}"
        time.sleep(every)
    return found
