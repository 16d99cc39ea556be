"""Freezes: times in which nothing goes forward, from the policy's windows and from what people froze. Pure.

A freeze stops what goes forward: entering a step, writing a split, creating a deployment, deleting the old one. It
never stops what goes back, and harm is watched as ever. See docs/decisions/0008.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from policy.freezes import frozen_until
from policy.model import Policy
from rollout.look import Look
from rollout.observation import Freeze
from rollout.phases import Flag
from rollout.place import Place
from rollout.record import Record

EVERYTHING = "all"
"""The scope of a freeze of every rollout."""
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""The end of a freeze that nobody can read."""


def covers(scope: str, place: Place) -> bool:
    """Whether a freeze of this scope (`all`, `policy`, `policy/target`, `policy/target/endpoint`) holds the place."""
    named = scope.lower().split("/")
    return scope == EVERYTHING or named == [place.policy, place.target, place.endpoint][: len(named)]


def with_freeze(look: Look) -> Look:
    """The look with what freezes it now, and the record with the time when that was last so.

    A slow way back is a way back: nothing freezes it.
    """
    if look.record.kind == "rollback":
        return look
    found = sorted(_now(look.policy, look.seen.freezes, look.now))
    record, was = look.record, Flag.FROZEN in look.record.flags
    if found:
        text = "; ".join(text for _, text in reversed(found))
        record = replace(record, frozen_at=look.now, clock_from=_stood_still(record, look.now))
        record = record if was else record.noted(look.now, "decision", text)
        return replace(look, record=record, frozen=text)
    if was:
        record = record.noted(look.now, "decision", "no longer frozen")
    return replace(look, record=record)


def _stood_still(record: Record, now: datetime) -> datetime:
    """From when the phase's clock counts, now that the time since the last look was frozen too.

    Freezes that come every night must not begin each wait anew: it would never end.
    """
    looked = record.frozen_at if Flag.FROZEN in record.flags else record.next_look
    frozen = now - max(min(looked or now, now), record.entered)
    return min(record.counted_from + frozen, now)


def _now(policy: Policy, freezes: Sequence[Freeze] | None, now: datetime) -> Iterator[tuple[datetime, str]]:
    """(end, in words) of each freeze that holds now."""
    window = frozen_until(policy.freeze, now)
    if window is not None:
        until, reason = window
        yield until, f"frozen {_short(until)} by the policy: {reason}"
    if freezes is None:
        # Somebody may have frozen this very rollout: without the list nothing may go forward.
        yield now, "frozen while the list of freezes cannot be read"
    for one in freezes or ():
        if one.until > now:
            yield one.until, f"frozen {_short(one.until)} by {one.owner}: {one.reason}"


def _short(end: datetime) -> str:
    return "without an end" if end == NEVER else f"until {end.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
