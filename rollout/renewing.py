"""Renewing the lease of a look no more often than that helps: most parts of a look take milliseconds.

Each renewal is a call to storage, and the parts of a look ask for one between them. A lease that was renewed a moment
ago has nearly all of its time left, which is longer than any one part may take.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

MOMENT = timedelta(seconds=10)
"""Of the lease's 60 s at least 50 are left then: more than the 30 s that an ARM write needs, or a query's 20."""


def sparingly(renew: Callable[[], None], clock: Callable[[], datetime], taken: datetime) -> Callable[[], None]:
    """`renew`, unless the lease was taken or renewed within a moment. `taken` is a time before it was asked for.

    A clock that was set back tells nothing, so then it is renewed.
    """
    last = taken

    def renewed() -> None:
        nonlocal last
        now = clock()
        if timedelta() <= now - last < MOMENT:
            return
        renew()
        last = now

    return renewed
