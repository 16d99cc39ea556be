"""Faults on order: what goes wrong next, how often, and for whom. Scripted by tests, never by chance.

Every part asks `cloud.faults.take(kind, subject)` at the one place where its fault would strike, so a fault costs one
dictionary look when none is set. The kinds are listed once, in FAULTS; docs/localcloud.md shows the same list.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Json = dict[str, Any]


class Kind(NamedTuple):
    """One kind of fault: what happens, what `match` is searched in, and the parameters it takes."""

    says: str
    subject: str
    parameters: Mapping[str, str] = {}


FAULTS: Mapping[str, Kind] = {
    "http": Kind(
        "A request to the cloud or to the scoring front gets this answer, comes late, or loses its connection.",
        "`METHOD /path?query`",
        {
            "status": "answer with this status instead of the true one",
            "headers": "headers of that answer",
            "body": "its body: text, or an object sent as JSON",
            "delay_seconds": "wait first",
            "cut": "true: close the connection without an answer",
            "after": "true: the effect happens first, then the answer is replaced or lost",
        },
    ),
    "operation.stuck": Kind(
        "A long-running operation does not end.",
        "`METHOD resource-id` of the operation",
        {"seconds": "how long (default: until the cloud ends)"},
    ),
    "operation.failed": Kind(
        "A long-running operation ends as Failed instead of doing its work.",
        "`METHOD resource-id` of the operation",
        {
            "code": "the error's code",
            "message": "the error's text",
            "status": "how it ends: Failed (default) or Canceled",
        },
    ),
    "quota.refused": Kind(
        "Creating or scaling a deployment is refused for lack of quota, whatever the quota is.",
        "`METHOD resource-id` of the deployment",
        {"message": "the refusal's text"},
    ),
    "role.missing": Kind(
        "The caller's permissions at a scope are told without these actions. The calls themselves still work.",
        "the scope's ARM id",
        {"actions": "the actions that are lacking, with wildcards (default: all)"},
    ),
    "mirror.dropped": Kind(
        "Another writer replaces the endpoint and drops its mirror setting, right after a write of it.",
        "`METHOD resource-id` of the endpoint",
    ),
    "container.crash": Kind(
        "A deployment's container dies: the running one at once, else the next one while it starts.",
        "`endpoint/deployment`",
    ),
    "host.crash": Kind(
        "The Functions host is killed in the middle of whatever it does, and started again.",
        "`functions host`",
    ),
    "event.duplicate": Kind(
        "An event is delivered more than once.",
        "`event-type subject`",
        {"copies": "how many more (default 1)"},
    ),
    "event.reorder": Kind(
        "An event is held back until a later one of the same subscription has been delivered.",
        "`event-type subject`",
        {"seconds": "the longest wait for a later one (default 5)"},
    ),
    "events.lost_ack": Kind(
        "A webhook's answer to a delivery is lost, so that Event Grid delivers again.",
        "`event-type subject`",
    ),
    "rows.late": Kind(
        "Rows of a table become visible later than the ingestion delay says.",
        "the table's name",
        {"seconds": "how much later (default 5)"},
    ),
    "rows.doubled": Kind("Rows of a table arrive twice.", "the table's name"),
    "logs.partial": Kind(
        "A log query is answered 200 with a part of the rows and error PartialError.",
        "the query's text",
        {"rows": "how many rows are left (default: half)", "code": "the inner error's code"},
    ),
    "logs.empty_204": Kind("A log query is answered 204 without a body.", "the query's text"),
    "logs.empty_200": Kind("A log query is answered 200 with an empty body.", "the query's text"),
    "logs.html": Kind(
        "A log query is answered with a gateway's HTML page.",
        "the query's text",
        {"status": "its status (default 502)"},
    ),
    "metric.gap": Kind(
        "A metric has no values for the minutes asked for.",
        "the metric's name",
        {"minutes": "only the newest so many (default: all)"},
    ),
    "metric.error_code": Kind(
        "One metric of a query comes with an error code in place of values.",
        "the metric's name",
        {"code": "the errorCode (default InternalError)", "message": "the errorMessage"},
    ),
}


class UnknownFault(ValueError):
    """The fault cannot be set as it was written; the message says what would do."""


@dataclass
class Fault:
    """One fault that waits for its next victims."""

    number: int
    kind: str
    match: re.Pattern[str]
    left: int
    parameters: Json = field(default_factory=dict)
    struck: list[str] = field(default_factory=list)
    """The subjects that it struck, oldest first."""

    def render(self) -> Json:
        """As the API and the page show it."""
        return {
            "id": self.number,
            "kind": self.kind,
            "match": self.match.pattern,
            "left": self.left,
            "parameters": self.parameters,
            "struck": list(self.struck),
        }


class Faults:
    """The faults of one local cloud. Used ones stay in the list, so that a test can see that they struck."""

    def __init__(self) -> None:
        self._all: dict[int, Fault] = {}
        self._last = 0
        self._listeners: list[Callable[[], Awaitable[None]]] = []

    def add(self, kind: str, *, match: str = "", times: int = 1, parameters: Mapping[str, Any] | None = None) -> Fault:
        """Strike the next `times` subjects in which `match` finds something, in any case; UnknownFault says why not."""
        known = FAULTS.get(kind)
        if known is None:
            raise UnknownFault(f"kind {kind!r} is not one of: {', '.join(FAULTS)}")
        given = dict(parameters or {})
        if strange := sorted(set(given) - set(known.parameters)):
            takes = ", ".join(known.parameters) or "none"
            raise UnknownFault(f"parameter {strange[0]!r}: {kind} takes {takes}")
        if times < 1:
            raise UnknownFault(f"times is {times}: at least 1 must be struck")
        try:
            pattern = re.compile(match, re.IGNORECASE)
        except re.error as error:
            raise UnknownFault(f"match {match!r} is not a regular expression: {error}") from error
        self._last += 1
        fault = self._all[self._last] = Fault(self._last, kind, pattern, times, given)
        return fault

    def take(self, kind: str, subject: str = "") -> Json | None:
        """The parameters of the oldest fault that strikes this subject, which is then counted; None for most."""
        for fault in self._all.values():
            if fault.left and fault.kind == kind and fault.match.search(subject):
                fault.left -= 1
                fault.struck.append(subject)
                return dict(fault.parameters)
        return None

    def waiting(self, kind: str) -> bool:
        """Whether a fault of this kind has victims left."""
        return any(fault.left and fault.kind == kind for fault in self._all.values())

    def list(self) -> list[Json]:
        """All faults since the last clear, in order."""
        return [fault.render() for fault in self._all.values()]

    def clear(self, number: int | None = None) -> bool:
        """Forget one fault, or all; whether there was any."""
        chosen = list(self._all) if number is None else [number]
        existed = [self._all.pop(one, None) for one in chosen]
        return any(fault is not None for fault in existed)

    def on_change(self, listener: Callable[[], Awaitable[None]]) -> None:
        """For parts that live in other processes, or that act at once: called by `spread`."""
        self._listeners.append(listener)

    async def spread(self) -> None:
        """Return when every part knows what was set or cleared, so that the very next request is struck."""
        for listener in self._listeners:
            await listener()
