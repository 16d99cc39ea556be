"""The policies in force: blobs `policies/<name>.yaml`, read again when their ETag changed.

An invalid file changes nothing: the last good text stays in force (kept in `state/policies/`, so that it outlives the
process) and the error is shown. A policy that wants the endpoint of another one in force is not taken.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cloud.blobs import Blobs
from cloud.errors import CloudError
from policy.conflicts import conflicts
from policy.load import load
from policy.model import Policy
from policy.problems import PolicyError

POLICIES, STATE = "policies", "state"
COPIES = "policies/"
SUFFIX = ".yaml"
FRESH = timedelta(seconds=30)
"""How old a listing may be where nobody asked for a new one."""


@dataclass(frozen=True)
class InForce:
    """The policies by name, the text each was read from, and what is wrong with the files that are not in force."""

    policies: Mapping[str, Policy] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Known:
    """What was read so far, by policy name: the ETag looked at, the last good one, what is wrong with the newest."""

    at: datetime
    seen: Mapping[str, str]
    good: Mapping[str, tuple[Policy, str]]
    errors: Mapping[str, str]
    kept: Mapping[str, str]
    """Texts as their copies in `state/policies/` have them."""
    in_force: InForce


class Policies:
    """Reads policy blobs; what was read is remembered by ETag.

    No lock is held while storage is read: one that does not answer must not make a caller wait for another's time-outs.
    What was read replaces only what it was compared with, so that a slow reading never brings back an older state.
    """

    def __init__(self, blobs: Blobs, clock: Callable[[], datetime]) -> None:
        self._blobs, self._clock = blobs, clock
        self._known: _Known | None = None
        self._replacing = threading.Lock()

    def current(self) -> InForce:
        """What is in force, at most half a minute old: the timer that refreshes may run in another instance."""
        known = self._known
        if known is None:
            return self.refresh()
        if self._clock() - known.at < FRESH:
            return known.in_force
        try:
            return self.refresh()
        except CloudError:
            return known.in_force

    def refresh(self) -> InForce:
        """Look for changed files (one listing, one read for each change) and answer what is in force now."""
        while True:
            before = self._known
            found = self._read_all(before)
            with self._replacing:
                if self._known is before:
                    self._known = found
                    return found.in_force

    def _read_all(self, before: _Known | None) -> _Known:
        now = self._clock()
        listed = {
            blob.name.removesuffix(SUFFIX): blob.etag
            for blob in self._blobs.list(POLICIES)
            if blob.name.endswith(SUFFIX) and "/" not in blob.name
        }
        if before is not None and listed == before.seen:
            return replace(before, at=now)
        kept = dict(before.kept) if before else self._copies()
        good = {name: one for name, one in before.good.items() if name in listed} if before else {}
        errors = {name: text for name, text in before.errors.items() if name in listed} if before else {}
        seen = dict(listed)
        for name, etag in listed.items():
            if (before is None or before.seen.get(name) != etag) and not self._read(name, good, errors, kept):
                del seen[name]
        incumbents = set(before.in_force.policies) if before else set(kept)
        in_force = _without_conflicts(good, errors, incumbents)
        self._keep(in_force, listed, kept)
        return _Known(now, seen, good, errors, kept, in_force)

    def _read(
        self, name: str, good: dict[str, tuple[Policy, str]], errors: dict[str, str], kept: Mapping[str, str]
    ) -> bool:
        """Whether the file need not be read again before it changes."""
        stored = self._blobs.read(POLICIES, name + SUFFIX)
        if stored is None:
            return False
        try:
            good[name] = _named(load(stored.data, f"{name}{SUFFIX}"), name), stored.data.decode()
            errors.pop(name, None)
        except PolicyError as error:
            errors[name] = str(error)
            if name not in good and name in kept:
                # The last good text from before this process: rules that came after it do not put it out of force,
                # or an update of the app would take the way back from what it released. Not understood, it is.
                with suppress(PolicyError):
                    good[name] = _named(load(kept[name], f"{name}{SUFFIX}", rules=False), name), kept[name]
        return True

    def _copies(self) -> dict[str, str]:
        """The texts that were in force before this process began."""
        copies = {}
        for blob in self._blobs.list(STATE, COPIES):
            stored = self._blobs.read(STATE, blob.name)
            if stored is not None:
                copies[blob.name.removeprefix(COPIES).removesuffix(SUFFIX)] = stored.data.decode()
        return copies

    def _keep(self, in_force: InForce, listed: Mapping[str, str], kept: dict[str, str]) -> None:
        """Make the copies what is in force. A policy that was taken away takes its copy with it."""
        for name, text in in_force.texts.items():
            if kept.get(name) != text:
                self._blobs.write(STATE, f"{COPIES}{name}{SUFFIX}", text.encode())
                kept[name] = text
        for name in [name for name in kept if name not in listed]:
            self._blobs.delete(STATE, f"{COPIES}{name}{SUFFIX}")
            del kept[name]


def _without_conflicts(
    good: Mapping[str, tuple[Policy, str]], errors: Mapping[str, str], incumbents: set[str]
) -> InForce:
    """Of two that want the same endpoint the one that was in force before stays, else the first by name."""
    order = sorted(good, key=lambda name: (name not in incumbents, name))
    left, shown = {name: good[name] for name in order}, dict(errors)
    for conflict in conflicts([policy for policy, _ in left.values()]):
        if conflict.first in left and left.pop(conflict.second, None) is not None:
            shown[conflict.second] = conflict.message
    return InForce(
        {name: policy for name, (policy, _) in left.items()}, {name: text for name, (_, text) in left.items()}, shown
    )


def _named(policy: Policy, name: str) -> Policy:
    if policy.name != name:
        from policy.problems import Problem

        message = f"is {policy.name!r}, but the file is {name}{SUFFIX}: they must be the same"
        raise PolicyError([Problem(f"{name}{SUFFIX}", 1, 1, "name", message)])
    return policy
