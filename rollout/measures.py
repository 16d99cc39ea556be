"""The metric series of rollouts: what the end of one is worth in numbers. Pure; docs/events.md tells the names."""

from __future__ import annotations

from cloud.insights import Point
from rollout.codec import moment
from rollout.phases import Phase
from rollout.record import Event
from rollout.transitions import ENDS, PREFIX

ROLLOUT_SECONDS = "understudy.rollout.seconds"
ROLLBACK_SECONDS = "understudy.rollback.seconds"
OUTCOMES = {f"{PREFIX}{name}": phase for phase, (name, _) in ENDS.items()}
DIMENSIONS = ("policy", "target", "endpoint", "kind")


def measures(event: Event) -> tuple[Point, ...]:
    """The points of an event: none unless it ends a rollout. `id` is the event's, the same however often it is sent."""
    phase = OUTCOMES.get(event.type)
    if phase is None:
        return ()
    outcome = "promoted" if phase is Phase.DONE else phase.value
    about = {key: str(event.data[key]) for key in DIMENSIONS} | {"outcome": outcome, "id": event.id}
    found = [Point(ROLLOUT_SECONDS, (event.at - moment(event.data["started"])).total_seconds(), about)]
    if "rollback" in event.data:
        found.append(Point(ROLLBACK_SECONDS, event.data["rollback"]["seconds"], about))
    return tuple(found)
