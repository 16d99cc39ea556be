"""Freeze objects: blobs `state/freezes/<id>.json` that people write, each with a scope, an owner, a reason and an end.

Read with one listing, and each blob once. What is in there but cannot be understood freezes everything until somebody
mends it: it was meant to stop something. Those that ended a day ago are deleted by whoever reads them.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from cloud.blobs import Blobs
from cloud.errors import CloudError, Conflict
from rollout.codec import moment, stamp
from rollout.frozen import EVERYTHING, NEVER, covers
from rollout.observation import Freeze
from rollout.place import Place

STATE, PREFIX, SUFFIX = "state", "freezes/", ".json"
KEPT = timedelta(days=1)
"""How long an ended freeze stays for those who ask what stopped them."""
_SCOPE = re.compile(r"[a-z0-9-]+(/[a-z0-9-]+){0,2}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class BadFreeze(ValueError):
    """A freeze that cannot be made; the message says what to write instead."""


def made(identity: str, scope: str, owner: str, reason: str, until: datetime, now: datetime) -> Freeze:
    """A freeze as a person asked for it; BadFreeze when it would stop nothing."""
    if not _ID.fullmatch(identity):
        raise BadFreeze(f"id {identity!r}: use letters, digits, dashes and dots")
    if not _SCOPE.fullmatch(scope.lower()):
        raise BadFreeze(f"scope {scope!r}: write `all`, POLICY, POLICY/TARGET or POLICY/TARGET/ENDPOINT")
    if not owner.strip():
        raise BadFreeze("owner: a freeze needs one whom others can ask; give --owner NAME")
    if not reason.strip():
        raise BadFreeze("reason: a freeze needs one; give --reason TEXT")
    if until <= now:
        raise BadFreeze(f"its end, {stamp(until)}, is in the past")
    return Freeze(identity, scope.lower(), owner.strip(), reason.strip(), until)


class Freezes:
    """Reads and writes freeze objects; a listing serves for `fresh`, a look's pace, so that many looks share one."""

    def __init__(self, blobs: Blobs, clock: Callable[[], datetime], fresh: timedelta) -> None:
        self._blobs, self._clock, self._fresh = blobs, clock, fresh
        self._known: tuple[datetime, Mapping[str, Freeze]] | None = None
        self._lock = threading.Lock()

    def at(self, place: Place) -> tuple[Freeze, ...]:
        """What is frozen at the place, by a listing no older than `fresh`; CloudError when there is none."""
        now = self._clock()
        return tuple(one for one in self._recent() if one.until > now and covers(one.scope, place))

    def all(self) -> tuple[Freeze, ...]:
        """Every freeze, the ended ones of the last day included, read now."""
        now, before = self._clock(), self._known[1] if self._known else {}
        read: dict[str, Freeze] = {}
        for blob in self._blobs.list(STATE, PREFIX):
            key = f"{blob.name}|{blob.etag}"
            one = before.get(key) or self._read(blob.name)
            if one is None:
                continue
            if one.until <= now - KEPT:  # an end in the year 9999 bears no addition
                with suppress(CloudError):  # the next reader tries again
                    self._blobs.delete(STATE, blob.name)
                continue
            read[key] = one
        with self._lock:
            if self._known is None or self._known[0] <= now:
                self._known = (now, read)
        return tuple(read.values())

    def active(self) -> list[dict[str, str]]:
        """What is frozen now, as the API shows it; by a listing no older than `fresh`."""
        now = self._clock()
        return [
            {"id": one.id, "scope": one.scope, "owner": one.owner, "reason": one.reason, "until": stamp(one.until)}
            for one in self._recent()
            if one.until > now
        ]

    def add(self, freeze: Freeze) -> bool:
        """Write a freeze; False when its id is taken."""
        body = {"scope": freeze.scope, "owner": freeze.owner, "reason": freeze.reason, "until": stamp(freeze.until)}
        try:
            self._blobs.write(STATE, _name(freeze.id), json.dumps(body, ensure_ascii=False).encode(), absent=True)
        except Conflict:
            return False
        return True

    def remove(self, identity: str) -> bool:
        """End a freeze now; False when there is none of that id."""
        return _ID.fullmatch(identity) is not None and self._blobs.delete(STATE, _name(identity))

    def _recent(self) -> tuple[Freeze, ...]:
        known = self._known
        if known is None or self._clock() - known[0] >= self._fresh:
            return self.all()
        return tuple(known[1].values())

    def _read(self, name: str) -> Freeze | None:
        stored = self._blobs.read(STATE, name)
        identity = name.removeprefix(PREFIX).removesuffix(SUFFIX)
        return None if stored is None else parsed(identity, stored.data)


def parsed(identity: str, raw: bytes) -> Freeze:
    """The freeze in a blob; one that cannot be read freezes everything until it is mended or removed."""
    try:
        body: dict[str, Any] = json.loads(raw)
        scope, until = str(body["scope"]).lower(), moment(str(body["until"]))
        if not _SCOPE.fullmatch(scope):
            raise ValueError(f"its scope is {scope!r}")
        return Freeze(identity, scope, str(body["owner"]), str(body["reason"]), until)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        # KeyError's text is only the key: say what is wrong with it.
        what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        reason = f"state/freezes/{identity}.json cannot be read ({what}); mend it, or unfreeze {identity}"
        return Freeze(identity, EVERYTHING, "an unreadable freeze", reason, NEVER)


def _name(identity: str) -> str:
    return f"{PREFIX}{identity}{SUFFIX}"
