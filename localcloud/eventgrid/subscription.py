"""One event subscription: where it delivers, and which events its filters let through."""

from __future__ import annotations

from dataclasses import dataclass

from localcloud.eventgrid.events import EVENT_GRID, Event
from localcloud.eventgrid.filters import AdvancedFilter


@dataclass(frozen=True)
class Subscription:
    """One event subscription to a webhook."""

    name: str
    topic: str
    endpoint_url: str
    schema: str = EVENT_GRID
    event_types: tuple[str, ...] = ()
    """Empty: all."""
    subject_begins_with: str = ""
    subject_ends_with: str = ""
    subject_case_sensitive: bool = False
    advanced_filters: tuple[AdvancedFilter, ...] = ()
    filter_arrays: bool = False
    max_attempts: int = 30
    minutes_to_live: int = 1440
    max_events_per_batch: int = 1
    batch_kilobytes: int = 64
    dead_letter_container: str = ""
    """Empty: events that cannot be delivered are dropped."""

    @property
    def batched(self) -> bool:
        """Whether one delivery may carry several events."""
        return self.max_events_per_batch > 1

    def wants(self, event: Event) -> bool:
        """Whether the filter lets the event through."""
        subject, begins, ends = event.subject, self.subject_begins_with, self.subject_ends_with
        if not self.subject_case_sensitive:
            subject, begins, ends = subject.lower(), begins.lower(), ends.lower()
        known = {one.lower() for one in self.event_types}
        if known and event.event_type.lower() not in known:
            return False
        if not (subject.startswith(begins) and subject.endswith(ends)):
            return False
        rendered = event.render(self.schema) if self.advanced_filters else {}
        return all(one.holds(rendered, arrays=self.filter_arrays) for one in self.advanced_filters)
