"""External calls of a process, counted where they leave it, and the end of the process at one of them.

Every call of the app (Azure's SDKs and plain requests alike) goes through one method of `requests`. A killed process
is really gone: `os._exit` runs no `finally`, gives no lease back and flushes nothing.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

if TYPE_CHECKING:
    from rollout.record import Record

KILLED = 137
"""Exit status of a process that ended itself at a call."""
_NOT_COUNTED = ("/msi/token", "/metadata/")
"""Tokens and the cloud's metadata are fetched once a process: their place in the order says nothing."""


PUBLISHING = "publishing"
"""Stands for the phase of calls that send events to the outside, which have a function of the app to themselves."""


@dataclass(frozen=True)
class Point:
    """Moments of death: at the how-manieth call (from 1) of every stage, before it leaves or after its answer was lost.

    A stage is a phase of one rollout until its split is read back (`canary~`), or from then on (`canary`); the second
    rollout's have its number (`canary#2`). One death in a stage: the next life comes to the next stage by itself, and
    dies there.
    """

    call: int
    after: bool
    stage: str = ""
    """Only in this one; empty: in every one."""
    died_in: frozenset[str] = frozenset()

    def past(self, deaths: list[str]) -> Point:
        """For the next life: not in a stage that a process died in (a death: `after canary 12: PUT endpoint`)."""
        return replace(self, died_in=frozenset(death.split()[1] for death in deaths))

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} call {self.call} of {self.stage or 'each stage'}"


@dataclass(frozen=True)
class Novelty:
    """Death at the first write that nobody died at yet (`sign_of` tells which are the same)."""

    died_at: frozenset[str]


def kind_of(method: str, url: str) -> str:
    """What is asked of whom, without names and numbers: `PUT endpoint`, `PUT blob rollouts`, `POST queue x-work`."""
    parts = urlsplit(url)
    path, pieces = parts.path, parts.path.strip("/").split("/")
    if url.startswith(os.environ["UNDERSTUDY_QUEUE_URL"]):
        return f"{method} queue {pieces[1]}"
    if url.startswith(os.environ["UNDERSTUDY_BLOB_URL"]):
        container = pieces[1] if len(pieces) > 1 else ""
        folder = f"/{pieces[2]}" if container == "state" and len(pieces) > 2 else ""
        return f"{method} blob {container}{folder}{' lease' if 'comp=lease' in parts.query else ''}"
    if found := re.search(r"/(?:online|batch)Endpoints/[^/]+(/deployments)?(?:/[^/]+)?(/[a-z]\w+)?$", path, re.I):
        return f"{method} {'deployment' if found[1] else 'endpoint'}{(found[2] or '').replace('/', ' ')}"
    for part, name in _SERVICES.items():
        if part in path:
            return f"{method} {name}"
    return f"{method} {pieces[-1]}"


_SERVICES = {
    "/query": "log query",
    "metrics:getBatch": "metrics",
    "mfeOperationsStatus": "operation",
    "/models": "models",
    "/jobs": "jobs",
    "/score": "score",
    "/api/events": "event",
    "/track": "telemetry",
}


def is_write(kind: str) -> bool:
    """Whether the call changes something. Leases are left out: a look has several, and one lost is all lost."""
    return not kind.startswith(("GET", "HEAD", "POST log query", "POST metrics")) and "lease" not in kind


def sign_of(when: str, phase: str, kind: str) -> str:
    """What makes a death a new one: of writes to Azure and of the saved record the phase too, of other writes not.

    Before the record is saved nothing has happened, whatever the phase.
    """
    azure = not kind.split(" ", 1)[1].startswith(("blob", "queue"))
    saved = kind == "PUT blob rollouts" and when == "after"
    return f"{when} {phase}: {kind}" if azure or saved else f"{when} any: {kind}"


class Watch:
    """This process's calls from now on, each with the phase that the rollout was last seen in; and its end."""

    def __init__(self, kill_at: Point | Novelty | None, epitaph: Path) -> None:
        self.calls: list[str] = []
        self.phase = "none"
        self.settled = False
        """The split of the phase was read back; until then reads wait for an operation. Marked with `~` in calls."""
        self._kill_at, self._epitaph = kill_at, epitaph
        self.number = 1
        """Of the rollout, at its endpoint."""
        self._in_stage = Counter[str]()
        self._counting = True
        send = requests.sessions.Session.send

        def watched(session: requests.Session, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
            url = request.url or ""
            if not self._counting or any(part in url for part in _NOT_COUNTED):
                return send(session, request, **kwargs)
            kind = kind_of(request.method or "", url)
            self.calls.append(f"{'' if self.settled else '~'}{self.phase}: {kind}")
            self._in_stage[self._stage] += 1
            self._die_if_due(kind, after=False)
            reply = send(session, request, **kwargs)
            self._die_if_due(kind, after=True)
            return reply

        requests.sessions.Session.send = watched  # type: ignore[method-assign, assignment]

    def see(self, record: Record) -> None:
        """The calls from now on belong to where the record stands."""
        self.phase, self.number = record.phase.value, record.number
        self.settled = record.since is not None and self.phase != "deploying"

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """The calls of the block send events, whatever the phase."""
        phase, self.phase = self.phase, PUBLISHING
        try:
            yield
        finally:
            self.phase = phase

    @contextmanager
    def not_counting(self) -> Iterator[None]:
        """The calls of the block are the Functions host's, not the app's."""
        self._counting = False
        try:
            yield
        finally:
            self._counting = True

    @property
    def _stage(self) -> str:
        number = f"#{self.number}" if self.number > 1 else ""
        return f"{self.phase}{'' if self.settled or self.phase == PUBLISHING else '~'}{number}"

    def _die_if_due(self, kind: str, *, after: bool) -> None:
        """End the process here, if here is where it is to end, and leave word of where that was."""
        when, at, stage = "after" if after else "before", self._kill_at, self._stage
        if isinstance(at, Point):
            name = f"{when} {stage} {at.call}: {kind}"
            here = at.stage in ("", stage) and stage not in at.died_in
            due = here and (self._in_stage[stage], after) == (at.call, at.after)
        else:
            name = sign_of(when, self.phase, kind)
            due = at is not None and name not in at.died_at and is_write(kind)
        if due:
            self._epitaph.write_text(name)
            os._exit(KILLED)
