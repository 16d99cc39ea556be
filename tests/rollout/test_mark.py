"""How far an inbox was read: nothing is acted on twice or never, and the record stays small however many came."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rollout.inbox import Inbox
from rollout.mark import MARGIN, having_read
from rollout.observation import Observation
from rollout.phases import Phase
from rollout.record import Record, to_json
from tests.rollout.world import NOW, standing

SECOND = timedelta(seconds=1)
REGISTERED: dict[str, Any] = {"kind": "registered"}
ALERT: dict[str, Any] = {"kind": "alert", "rule": "r", "alert_id": "a", "fired": True, "action": "ignore", "at": ""}


@dataclass
class Looking:
    """A storage account's inbox, and the looks that read it."""

    record: Record = field(default_factory=lambda: standing(Phase.CANARY))
    blobs: dict[str, datetime] = field(default_factory=dict)
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)

    def come(self, identity: str, at: datetime, item: dict[str, Any]) -> None:
        self.blobs[identity], self.items[identity] = at, item

    def look(self, *, lists: bool = True) -> None:
        """One look, reading as the store does; not `lists`: the model's versions cannot be listed."""
        mark = self.record.read_until
        listed = {identity: at for identity, at in self.blobs.items() if mark is None or at >= mark}
        unread = [(one, self.items[one]) for one in listed if one not in self.record.handled]
        inbox = Inbox(tuple(unread), (), listed)
        inbox = inbox if lists else inbox.without_versions()
        self.taken += [identity for identity, _ in inbox.items]
        reading = inbox.reading(self.record)
        seen = Observation(None, None, False, None, None, (), (), reading.handled, reading.forgotten)
        self.record = having_read(self.record, replace(seen, read_until=reading.read_until))


def test_given_thousands_of_alerts_then_the_record_names_only_those_of_the_last_minutes() -> None:
    looking = Looking()
    for number in range(5000):
        looking.come(f"{number:024}", NOW + number * SECOND, ALERT)
        if number % 30 == 0:
            looking.look()
    looking.look()

    assert looking.taken == [f"{number:024}" for number in range(5000)]
    assert len(looking.record.handled) <= MARGIN / SECOND + 1
    assert len(json.dumps(to_json(looking.record))) < 12_000


def test_given_a_burst_then_its_items_are_named_until_a_later_item_comes() -> None:
    looking = Looking()
    for number in range(1000):
        looking.come(f"burst-{number}", NOW, ALERT)
    looking.look()
    assert len(looking.record.handled) == 1000

    looking.come("later", NOW + MARGIN + SECOND, ALERT)
    looking.look()
    assert looking.record.handled == ("later",)


def test_the_mark_never_passes_an_item_that_waits_for_the_list_of_versions() -> None:
    looking = Looking()
    looking.come("registered", NOW, REGISTERED)
    looking.come("alert", NOW + timedelta(hours=1), ALERT)
    looking.look(lists=False)
    assert looking.taken == ["alert"]

    looking.look()
    assert looking.taken == ["alert", "registered"]


def test_a_first_reading_of_a_long_inbox_remembers_only_its_end() -> None:
    looking = Looking()
    for number in range(3000):
        looking.come(f"{number:024}", NOW + number * SECOND, ALERT)
    looking.look()

    assert len(looking.record.handled) == MARGIN / SECOND + 1


@given(
    arrivals=st.lists(
        st.tuples(st.integers(0, 600), st.integers(0, int(MARGIN / SECOND)), st.booleans()), min_size=1, max_size=60
    ),
    looks=st.lists(st.tuples(st.integers(0, 1000), st.booleans()), max_size=20),
)
def test_every_item_is_taken_once_though_some_are_listed_later_than_they_are_dated(
    arrivals: list[tuple[int, int, bool]], looks: list[tuple[int, bool]]
) -> None:
    """(dated, listed so many seconds later, a registration) of each; the last look of all lists everything."""
    looking, waiting = Looking(), sorted((dated + late, dated, n) for n, (dated, late, _) in enumerate(arrivals))
    for at, lists in [*sorted(looks), (2000, True)]:
        while waiting and waiting[0][0] <= at:
            _, dated, n = waiting.pop(0)
            looking.come(str(n), NOW + dated * SECOND, REGISTERED if arrivals[n][2] else ALERT)
        looking.look(lists=lists)

    assert sorted(looking.taken, key=int) == [str(n) for n in range(len(arrivals))]
