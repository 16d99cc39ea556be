"""What waits in an endpoint's inbox, as the decision reads it.

An item belongs to the triple that it was written for: the inbox is the endpoint's, and a policy that takes the endpoint
over must not do again what was asked of the one before. Items of another triple are read as handled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from rollout.codec import moment
from rollout.mark import advanced
from rollout.observation import AlertItem, CommandItem
from rollout.place import Place
from rollout.record import Record
from rollout.store import Store

Item = Mapping[str, Any]


@dataclass(frozen=True)
class Reading:
    """The ids of a look's items to remember, those that need not be remembered any more, and the mark."""

    handled: tuple[str, ...]
    forgotten: tuple[str, ...]
    read_until: datetime | None


@dataclass(frozen=True)
class Inbox:
    """Unread items, oldest first."""

    items: tuple[tuple[str, Item], ...] = ()
    foreign: tuple[str, ...] = ()
    """Ids of items that were written for another policy or target of the same endpoint."""
    listed: Mapping[str, datetime] = field(default_factory=dict)
    """When each item was made that is not older than the record's mark, read or not."""

    @property
    def alerts(self) -> tuple[AlertItem, ...]:
        """The alerts among them."""
        return tuple(
            AlertItem(i, it["rule"], it["alert_id"], it["fired"], it["action"], moment(it["at"]))
            for i, it in self.items
            if it["kind"] == "alert"
        )

    @property
    def commands(self) -> tuple[CommandItem, ...]:
        """The commands that were accepted."""
        return tuple(
            CommandItem(i, it["action"], it["reason"], it["who"], moment(it["at"]), it.get("version"))
            for i, it in self.items
            if it["kind"] == "command" and it["refused"] is None
        )

    @property
    def notices(self) -> tuple[str, ...]:
        """What other parts of the app have to tell; also the commands that the door refused, with who asked and why."""
        return tuple(_told(it) for _, it in self.items if it["kind"] == "notice" or it.get("refused"))

    @property
    def needs_versions(self) -> bool:
        """Whether an item cannot be done without the list of the model's versions."""
        return any(lists_versions(item) for _, item in self.items)

    @property
    def model(self) -> str | None:
        """The model that the newest registration speaks of."""
        return next((str(it["model"]) for _, it in reversed(self.items) if it["kind"] == "registered"), None)

    @property
    def asked(self) -> tuple[str, ...]:
        """What the items ask for, in words; those that only tell something ask for nothing."""
        registered = (_registered(item) for _, item in self.items if item["kind"] == "registered")
        alerts = (alert.words for alert in self.alerts if alert.action not in ("ignore", "retrain"))
        return (*registered, *alerts, *(command.words for command in self.commands))

    def without_versions(self) -> Inbox:
        """What can be done while the versions could not be listed; the rest stays unread."""
        return replace(self, items=tuple(one for one in self.items if not lists_versions(one[1])))

    def reading(self, record: Record | None) -> Reading:
        """What the record is to remember of a look that takes this in."""
        before, known = (record.read_until, record.handled) if record else (None, ())
        taken = (*self.foreign, *(identity for identity, _ in self.items))
        mark = advanced(before, self.listed, {*known, *taken})
        fresh = {identity for identity, at in self.listed.items() if mark is None or at >= mark}
        return Reading(
            handled=tuple(one for one in taken if one in fresh),
            forgotten=tuple(one for one in known if one not in fresh),
            read_until=mark,
        )


def _told(item: Item) -> str:
    if item["kind"] == "notice":
        return str(item["text"])
    return f"refused: {item['action']} by {item['who']} ({item['reason']}): {item['refused']}"


def _registered(item: Item) -> str:
    return f"version {item['version']} was registered" if "version" in item else f"{item['model']} has changed"


def lists_versions(item: Item) -> bool:
    """Whether an item needs the model's versions."""
    return item["kind"] == "registered" or (item["kind"] == "command" and item["action"] in ("start", "retry"))


def stops(items: Iterable[tuple[str, Item]]) -> bool:
    """Whether unread items keep a look from writing. Those that need the versions do not: they wait for the listing,
    which may fail for hours, and say nothing against the version that is on its way.
    """
    return any(not lists_versions(item) for _, item in items)


def read_inbox(store: Store, place: Place, record: Record | None) -> Inbox:
    """The unread items of the place."""
    found = store.unread(place, record)
    ours = {"policy": place.policy, "target": place.target}
    mine = [one for one in found.items if all(one[1].get(key, value) == value for key, value in ours.items())]
    kept = {identity for identity, _ in mine}
    foreign = tuple(identity for identity, _ in found.items if identity not in kept)
    return Inbox(tuple(mine), foreign, found.listed)
