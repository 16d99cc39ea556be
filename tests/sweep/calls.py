"""External calls of a process, counted where they leave it, and the end of the process at one of them.

Every call of the app (Azure's SDKs and plain requests alike) goes through one method of `requests`. A killed process
is really gone: `os._exit` runs no `finally`, gives no lease back and flushes nothing.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

KILLED = 137
"""Exit status of a process that ended itself at a call."""
_NOT_COUNTED = ("/msi/token", "/metadata/")
"""Tokens and the cloud's metadata are fetched once a process: their place in the order says nothing."""


@dataclass(frozen=True)
class Point:
    """One moment of death: at the how-manieth call (from 1), before it leaves or after its answer was lost."""

    call: int
    after: bool

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} call {self.call}"


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

    def __init__(self, kill_at: Point | Novelty | None, epitaph: Path, phase: str) -> None:
        self.calls: list[str] = []
        self.phase = phase
        self.settled = False
        """The split of the phase was read back; until then reads wait for an operation. Marked with `~` in calls."""
        self._kill_at, self._epitaph = kill_at, epitaph
        send = requests.sessions.Session.send

        def watched(session: requests.Session, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
            url = request.url or ""
            if any(part in url for part in _NOT_COUNTED):
                return send(session, request, **kwargs)
            call = f"{self.phase}: {kind_of(request.method or '', url)}"
            self.calls.append(call if self.settled else f"~{call}")
            self._die_if_due(call, after=False)
            reply = send(session, request, **kwargs)
            self._die_if_due(call, after=True)
            return reply

        requests.sessions.Session.send = watched  # type: ignore[method-assign, assignment]

    def _die_if_due(self, call: str, *, after: bool) -> None:
        """End the process here, if here is where it is to end, and leave word of where that was."""
        phase, kind = call.split(": ", 1)
        name, at = sign_of("after" if after else "before", phase, kind), self._kill_at
        if isinstance(at, Point) and (len(self.calls), after) == (at.call, at.after):
            due = True
        else:
            due = isinstance(at, Novelty) and name not in at.died_at and is_write(kind)
        if due:
            self._epitaph.write_text(name)
            os._exit(KILLED)
