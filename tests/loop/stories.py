"""Stories: tests of one module that are told at once, since a rollout is mostly waiting.

Each story is a function of the world with endpoints of its own, and a test of its own by its own name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, cast

import pytest

if TYPE_CHECKING:
    from tests.loop.world import World


class Story(Protocol):
    """What a test has to tell, with the rule as its name."""

    __name__: str

    def __call__(self, world: World) -> None:
        """Tell it."""


LONGEST_SECONDS = 360.0


class Told:
    """The stories of a module, under way."""

    def __init__(self, futures: Mapping[str, Future[None]]) -> None:
        self._futures = futures

    def to_its_end(self, story: Story) -> None:
        """Return when the story went well; else raise what went wrong in it."""
        self._futures[story.__name__].result(LONGEST_SECONDS)


def of(*stories: Story) -> pytest.MarkDecorator:
    """The mark that makes each story a test."""
    return pytest.mark.parametrize("story", stories, ids=[story.__name__ for story in stories])


@contextmanager
def telling(world: World, items: Sequence[pytest.Item], module: str) -> Iterator[Told]:
    """Begin the stories of those tests of the module that were chosen to run, all at once."""
    stories = [
        cast(Story, item.callspec.params["story"])
        for item in items
        if isinstance(item, pytest.Function) and item.module.__name__ == module and hasattr(item, "callspec")
    ]
    with ThreadPoolExecutor(max(len(stories), 1), thread_name_prefix="story") as pool:
        yield Told({story.__name__: pool.submit(story, world) for story in stories})
