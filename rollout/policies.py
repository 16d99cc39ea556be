"""The policies in force: blobs `policies/<name>.yaml`, read again when their ETag changed.

An invalid file changes nothing: the last good text stays in force (kept in `state/policies/`, so that it outlives the
process) and the error is shown. Of two policies that want the same endpoint, the later name is not taken.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from cloud.blobs import Blobs
from cloud.errors import CloudError
from policy.conflicts import conflicts
from policy.load import load
from policy.model import Policy
from policy.problems import PolicyError

POLICIES, STATE = "policies", "state"
SUFFIX = ".yaml"


@dataclass(frozen=True)
class InForce:
    """The policies by name, the text each was read from, and what is wrong with the files that are not in force."""

    policies: Mapping[str, Policy] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


class Policies:
    """Reads policy blobs; what was read is remembered by ETag for the life of the process."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._lock = threading.Lock()
        self._seen: dict[str, str] = {}
        self._good: dict[str, tuple[Policy, str]] = {}
        self._errors: dict[str, str] = {}
        self._in_force: InForce | None = None

    def refresh(self) -> InForce:
        """Look for changed files (one listing, one read for each change) and answer what is in force now."""
        with self._lock:
            return self._refreshed()

    def current(self) -> InForce:
        """What was last read; read now when nothing was yet."""
        with self._lock:
            return self._in_force or self._refreshed()

    def _refreshed(self) -> InForce:
        listed = {
            blob.name.removesuffix(SUFFIX): blob.etag
            for blob in self._blobs.list(POLICIES)
            if blob.name.endswith(SUFFIX) and "/" not in blob.name
        }
        changed = [name for name, etag in listed.items() if self._seen.get(name) != etag]
        gone = [name for name in self._seen if name not in listed]
        if self._in_force is not None and not changed and not gone:
            return self._in_force
        for name in gone:
            for known in (self._seen, self._good, self._errors):
                known.pop(name, None)
        for name in changed:
            self._read(name)
            self._seen[name] = listed[name]
        self._in_force = self._without_conflicts()
        return self._in_force

    def _read(self, name: str) -> None:
        stored = self._blobs.read(POLICIES, name + SUFFIX)
        if stored is None:
            return
        try:
            policy = _named(load(stored.data, f"{name}{SUFFIX}"), name)
        except PolicyError as error:
            self._errors[name] = str(error)
            if name not in self._good:
                self._restore(name)
            return
        self._errors.pop(name, None)
        self._good[name] = (policy, stored.data.decode())
        try:
            self._blobs.write(STATE, f"policies/{name}{SUFFIX}", stored.data)
        except CloudError as error:
            self._errors[name] = f"in force, but its copy could not be kept: {error}"

    def _restore(self, name: str) -> None:
        """The last good text from before this process, if there is one."""
        kept = self._blobs.read(STATE, f"policies/{name}{SUFFIX}")
        if kept is not None:
            self._good[name] = (load(kept.data, f"{name}{SUFFIX}"), kept.data.decode())

    def _without_conflicts(self) -> InForce:
        good = dict(sorted(self._good.items()))
        errors = dict(self._errors)
        for conflict in conflicts([policy for policy, _ in good.values()]):
            good.pop(conflict.second, None)
            errors[conflict.second] = conflict.message
        return InForce(
            {name: policy for name, (policy, _) in good.items()},
            {name: text for name, (_, text) in good.items()},
            errors,
        )


def _named(policy: Policy, name: str) -> Policy:
    if policy.name != name:
        from policy.problems import Problem

        message = f"is {policy.name!r}, but the file is {name}{SUFFIX}: they must be the same"
        raise PolicyError([Problem(f"{name}{SUFFIX}", 1, 1, "name", message)])
    return policy
