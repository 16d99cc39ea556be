"""Watches the rollout and the endpoint from outside, a few times a second, and lets the stories wait for what happens.

The rollout is what the app says of itself (GET /api/rollouts); the traffic is what Azure says (ARM). Neither is taken
for the other: the referee judges by Azure's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from demo.referee import Reading
from demo.web import NotReached, Web

LOOK_SECONDS = 0.25
ENDED = ("done", "rolled_back", "superseded", "failed")


class StoryFailed(Exception):
    """A story ended otherwise than it should; the text says how."""


@dataclass(frozen=True)
class Rollout:
    """The app's word on the endpoint's rollout."""

    version: str = ""
    phase: str = ""
    kind: str = ""
    candidate: str = ""
    live: str = ""
    reasons: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    """Every phase it went through, by its history."""

    @property
    def has_ended(self) -> bool:
        """Whether the phase is a last one."""
        return self.phase in ENDED


@dataclass(frozen=True)
class Now:
    """One look."""

    at: float
    rollout: Rollout = field(default_factory=Rollout)
    traffic: Mapping[str, int] = field(default_factory=dict)
    mirror: Mapping[str, int] = field(default_factory=dict)

    def all_on(self, deployment: str) -> bool:
        """Whether Azure gives this deployment every live request and mirrors none."""
        shares = {name: share for name, share in self.traffic.items() if share}
        return shares == {deployment: 100} and not any(self.mirror.values())


class Watch:
    """Looks from start() to stop(), in a thread of its own."""

    def __init__(
        self, app: Web, arm: Web, rollout_path: str, endpoint_id: str, *, failure: Callable[[], str | None]
    ) -> None:
        """`failure` says why nothing can be expected any more; every wait ends with it."""
        self._app, self._arm, self._failure = app, arm, failure
        self._rollout_path = rollout_path
        self._endpoint_path = f"{endpoint_id}?api-version=2024-10-01"
        self._changed = threading.Condition()
        self._ended = threading.Event()
        self._now = Now(time.monotonic())
        self._thread = threading.Thread(target=self._look_again_and_again, daemon=True, name="watch")
        self.readings: list[Reading] = []
        """Azure's split, look by look."""
        self.versions: dict[str, str] = {}
        """Version by deployment, as rollouts named them."""

    @property
    def now(self) -> Now:
        """The last look."""
        return self._now

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join(5)

    def wait_until(
        self,
        what: str,
        met: Callable[[Now], bool],
        *,
        seconds: float,
        unless: Callable[[Now], str | None] | None = None,
    ) -> Now:
        """The look that met the condition; StoryFailed after `seconds`, or as soon as `unless` gives a reason."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not met(self._now):
                if reason := self._failure() or (unless(self._now) if unless else None):
                    raise StoryFailed(f"{reason} ({self._last_words()})")
                if (left := deadline - time.monotonic()) <= 0:
                    raise StoryFailed(f"{what}: not within {seconds:g} s ({self._last_words()})")
                self._changed.wait(min(left, 1.0))
            return self._now

    def _last_words(self) -> str:
        seen = self._now.rollout
        if not seen.phase:
            return "the app shows no rollout"
        reasons = "; ".join(seen.reasons) or "none"
        return f"last seen: version {seen.version}, {seen.phase}, reasons: {reasons}"

    def _look_again_and_again(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            try:
                seen = self._look()
            except NotReached:
                continue  # the host may be restarting; the stories' deadlines decide how long that may take
            with self._changed:
                self._now = seen
                self._changed.notify_all()

    def _look(self) -> Now:
        # The rollout first: a phase read before the split can only be older than it.
        reply = self._app.call("GET", self._rollout_path)
        rollout = _rollout(reply.body) if reply.is_success and isinstance(reply.body, dict) else self._now.rollout
        if rollout.candidate and rollout.kind != "rollback":
            self.versions[rollout.candidate] = rollout.version
        endpoint = self._arm.call("GET", self._endpoint_path)
        at = time.monotonic()
        if not endpoint.is_success:
            return Now(at, rollout)
        properties: dict[str, Any] = endpoint.body["properties"]
        traffic, mirror = properties.get("traffic") or {}, properties.get("mirrorTraffic") or {}
        self.readings.append(Reading(at, traffic))
        return Now(at, rollout, traffic, mirror)


def _rollout(body: Mapping[str, Any]) -> Rollout:
    history: list[Mapping[str, Any]] = body.get("history") or []
    phases = dict.fromkeys([*(str(entry.get("phase")) for entry in history), str(body.get("phase"))])
    return Rollout(
        version=str(body.get("version") or ""),
        phase=str(body.get("phase") or ""),
        kind=str(body.get("kind") or ""),
        candidate=str(body.get("candidate") or ""),
        live=str(body.get("live") or ""),
        reasons=tuple(map(str, body.get("reasons") or ())),
        flags=tuple(map(str, body.get("flags") or ())),
        phases=tuple(phases),
    )
