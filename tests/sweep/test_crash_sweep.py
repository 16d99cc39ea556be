"""A process that is killed at a write is as if it had never been slow: the next one comes to the same end.

Each story is told once, and in it the process dies before and after every kind of write in every phase, but for those
that it died at in a story before. The whole sweep, every call of every story, is `python -m tests.sweep`.
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


@pytest.fixture(scope="module")
def swept() -> set[tuple[bool, str]]:
    """(of a batch endpoint, death) of the stories told so far."""
    return set()


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_killed_at_every_write_in_turn_the_story_ends_the_same(
    one_lane: Lane, story: Story, swept: set[tuple[bool, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    told = one_lane.tell(story, everywhere=True, but=frozenset(death for batch, death in swept if batch == story.batch))
    swept |= {(story.batch, death) for death in told.deaths}
    with capsys.disabled():
        print(f"\n{story.name}: {len(told.deaths)} deaths in {told.seconds:.0f} s")
    assert not told.problems, "\n".join([*told.problems, "died", *told.deaths])
    assert told.deaths
    phases = {death.split()[1].rstrip(":") for batch, death in swept if batch == story.batch}
    assert phases >= {"none", "deploying", "shadow" if story.batch else "canary", story.ends[1]}
    assert {death.split()[0] for _, death in swept} == {"before", "after"}
