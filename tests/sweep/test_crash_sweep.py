"""A process that is killed at a write is as if it had never been slow: the next one comes to the same end.

Each story is told once, and in it the process dies before and after every kind of write in every phase. The whole
sweep, each single call by itself, is `python -m tests.sweep`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.sweep.stories import STORIES, Story

if TYPE_CHECKING:
    from tests.sweep.lane import Lane


@pytest.fixture(scope="module")
def one_lane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    """A local cloud of its own: what dies here leaves leases and messages behind."""
    from tests.sweep.lane import lane

    with lane(tmp_path_factory.mktemp("sweep")) as made:
        yield made


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_killed_at_every_write_in_turn_the_story_ends_the_same(
    one_lane: Lane, story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    told = one_lane.tell(story, everywhere=True)
    with capsys.disabled():
        print(f"\n{story.name}: {len(told.deaths)} deaths in {told.seconds:.0f} s")
    assert not told.problems, "\n".join([*told.problems, "died", *told.deaths])
    phases = {death.split()[1].rstrip(":") for death in told.deaths}
    assert phases >= {"none", "deploying", "shadow" if story.batch else "canary", story.ends[1]}
    assert {death.split()[0] for death in told.deaths} == {"before", "after"}
