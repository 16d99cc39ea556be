"""The stories that are swept: what is registered when, what happens, and the one way in which each must end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SHADOW = "shadow: {mirror_percent: 50, at_least: 0s, at_most: 3m}"
CANARY = "canary: {traffic_percent: 50, at_least: 0s, at_most: 3m}"
LONG_CANARY = "canary: {traffic_percent: 50, at_least: 2m, at_most: 3m}"
ASKED = 'smoke: {requests: [{"data": [{"x": 1}]}]}'
SMOKE, SAMPLE = "smoke: {}", "shadow: {mirror_percent: 1, at_least: 0s, at_most: 3m}"
APPROVAL = "approval: {at_most: 1h}"
FULL, RETIRE = "full: {bake: 0s}", "retire: {after: 0s}"


@dataclass(frozen=True)
class Story:
    """A rollout of version 2 over version 1, which an engineer deployed by hand."""

    name: str
    steps: tuple[str, ...]
    ends: tuple[str, str]
    """Version and phase of the last record."""
    live: Mapping[str, int]
    """The split at the end, by model version."""
    deployed: tuple[str, ...]
    """The versions that are deployed at the end, each once."""
    alert: bool = False
    """An alert fires in the canary."""
    newer: bool = False
    """Version 3 is registered while version 2 waits for approval, and is approved itself."""
    batch: bool = False
    """The endpoint is a batch endpoint: nobody asks it, and its jobs on the sample are counted."""
    seconds: float = 60.0
    """The longest that the story may take."""
    history: tuple[tuple[str, str], ...] = ()
    """Version and phase of the rollouts before the last, in order."""


STORIES = {
    story.name: story
    for story in (
        Story("promote", (ASKED, SHADOW, CANARY, FULL), ("2", "done"), {"2": 100}, ("1", "2")),
        Story("rollback", (LONG_CANARY, FULL), ("2", "rolled_back"), {"1": 100}, ("1", "2"), alert=True),
        Story(
            "supersede",
            (CANARY, APPROVAL, FULL),
            ("3", "done"),
            {"3": 100},
            ("1", "2", "3"),
            newer=True,
            history=(("2", "superseded"),),
        ),
        Story("retire", (CANARY, FULL, RETIRE), ("2", "done"), {"2": 100}, ("2",)),
        Story("batch", (SMOKE, SAMPLE, FULL, RETIRE), ("2", "done"), {"2": 100}, ("2",), batch=True),
    )
}
