"""Judges, from outside and afterwards, whether a version answered clients that was not allowed to.

Two witnesses: what clients saw (which deployment answered, when it was asked and when it had answered) and what the
endpoint said (its traffic, read again and again). A deployment may answer only while the endpoint gives it a share.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from demo.client import Answer

GRACE_SECONDS = 0.5
"""A share appears in the endpoint's reply some moments before or after requests follow it."""


@dataclass(frozen=True)
class Reading:
    """The endpoint's live split as one read showed it; `at` is of time.monotonic()."""

    at: float
    traffic: Mapping[str, int]


def wrong_answers(answers: Sequence[Answer], readings: Sequence[Reading]) -> list[Answer]:
    """Answers by a deployment which every reading around them shows at 0 %.

    An answer without a reading on both sides is not judged: nothing is known about its time.
    """
    times = [reading.at for reading in readings]

    def may_answer(answer: Answer) -> bool:
        first = bisect_right(times, answer.sent - GRACE_SECONDS) - 1
        last = bisect_left(times, answer.ended + GRACE_SECONDS)
        if first < 0 or last >= len(readings):
            return True
        return any(reading.traffic.get(answer.deployment or "", 0) > 0 for reading in readings[first : last + 1])

    return [answer for answer in answers if answer.deployment is not None and not may_answer(answer)]


def answered_by(answers: Sequence[Answer], deployment: str) -> int:
    """How many requests this deployment answered."""
    return sum(1 for answer in answers if answer.deployment == deployment)
