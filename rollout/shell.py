"""What a command of `python -m rollout` is given: the clock, new ids, waiting, and the environment of the shell."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Shell:
    """Made once by `rollout.__main__`."""

    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    environment: Mapping[str, str]
    wait: Callable[[float], None] = time.sleep
