"""Azure's reads are few: while a rollout stands still, looks go by what was read before, and never act on it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from rollout.endpoint import Snapshot
from rollout.observation import Observation
from rollout.phases import JUDGED, Phase
from rollout.recall import RETIRING_TIMES, recalled, with_evidence
from rollout.record import Record
from tests.rollout.world import HARM, NEW, NOW, OLD, SAFE, SPLITS, decided, endpoint, standing

LASTS = timedelta(minutes=10)
A_MINUTE = timedelta(minutes=1)


def remembering(phase: Phase, *, read: timedelta = A_MINUTE, new: str = "Succeeded") -> Record:
    """A settled record whose endpoint was read so long ago."""
    return standing(phase, snapshot=Snapshot(endpoint(*SPLITS[phase], new=new), NOW - read))


@pytest.mark.parametrize("phase", sorted(JUDGED))
def test_in_a_phase_that_stands_still_what_was_read_a_minute_ago_is_good_enough(phase: Phase) -> None:
    record = remembering(phase)
    assert recalled(record, NOW, LASTS, news=False) is record.snapshot


@pytest.mark.parametrize("phase", sorted(set(Phase) - JUDGED))
def test_in_every_other_phase_the_endpoint_is_read(phase: Phase) -> None:
    assert recalled(remembering(phase), NOW, LASTS, news=False) is None


def test_memory_ends_and_lasts_longer_while_retiring() -> None:
    assert recalled(remembering(Phase.CANARY, read=LASTS), NOW, LASTS, news=False) is None
    assert recalled(remembering(Phase.RETIRING, read=LASTS), NOW, LASTS, news=False) is not None
    assert recalled(remembering(Phase.RETIRING, read=LASTS * RETIRING_TIMES), NOW, LASTS, news=False) is None


def test_news_are_looked_at_with_fresh_eyes() -> None:
    assert recalled(remembering(Phase.CANARY), NOW, LASTS, news=True) is None


def test_before_the_split_was_read_back_nothing_is_remembered() -> None:
    asked = replace(remembering(Phase.CANARY), since=None)
    read_before_it = replace(remembering(Phase.CANARY), since=NOW - timedelta(seconds=1))
    assert recalled(asked, NOW, LASTS, news=False) is None
    assert recalled(read_before_it, NOW, LASTS, news=False) is None


@pytest.mark.parametrize("state", ["Updating", "Scaling", "Failed", "Deleting"])
def test_what_was_seen_unwell_or_under_way_is_read_again(state: str) -> None:
    assert recalled(remembering(Phase.CANARY, new=state), NOW, LASTS, news=False) is None
    busy = standing(Phase.CANARY, snapshot=Snapshot(endpoint(*SPLITS[Phase.CANARY], state="Updating"), NOW))
    assert recalled(busy, NOW, LASTS, news=False) is None


def test_a_look_remembers_what_it_read_and_not_what_it_remembered() -> None:
    world = endpoint({OLD: 90, NEW: 10})
    assert decided(standing(Phase.CANARY), world).record.snapshot == Snapshot(world, NOW)

    before = remembering(Phase.CANARY)
    assert decided(before, world, recalled=True).record.snapshot == before.snapshot


def test_harm_that_the_first_reading_of_a_look_saw_is_not_lost_when_the_logs_do_not_answer_the_second() -> None:
    first, fresh = Observation(None, recalled=True, evidence=HARM), Observation(endpoint(*SPLITS[Phase.CANARY]))
    assert with_evidence(fresh, first) == replace(fresh, evidence=HARM)
    newer = replace(fresh, evidence=SAFE)
    assert with_evidence(newer, first) == newer
