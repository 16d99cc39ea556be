"""One policy per endpoint: finds policies that could both want the same endpoint, before the two fight over it.

With wildcards two policies may meet only at models that nobody has registered yet, so patterns are compared with
patterns: two meet when some name matches both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

from policy.match import endpoint_id, endpoint_name
from policy.model import Policy, Target
from policy.section import Path


@dataclass(frozen=True)
class Conflict:
    """Two policies that must not both be in force."""

    first: str
    second: str
    message: str
    index: int
    """Which of the given policies is the second one."""
    at: Path
    """Where in the second one's file the two meet."""


def conflicts(policies: Sequence[Policy]) -> tuple[Conflict, ...]:
    """Every pair of policies with the same name, or with targets that could be the same endpoint."""
    found = []
    for (_, first), (index, second) in combinations(enumerate(policies), 2):
        names = first.name, second.name
        if first.name == second.name:
            found.append(Conflict(*names, f"two policies have the name {first.name!r}", index, ("name",)))
        for one, other in _shared(first, second):
            message = (
                f"{first.name} (target {one.name}) and {second.name} (target {other.name}) could both want "
                f"endpoint {one.endpoint!r} in workspace {one.workspace!r}: an endpoint belongs to one policy"
            )
            at = ("targets", second.targets.index(other), "endpoint")
            found.append(Conflict(*names, message, index, at))
    return tuple(found)


def _shared(first: Policy, second: Policy) -> list[tuple[Target, Target]]:
    return [
        (one, other)
        for one in first.targets
        for other in second.targets
        if _meet(_pattern(first, one), _pattern(second, other))
    ]


def _pattern(policy: Policy, target: Target) -> str:
    return endpoint_id(target, endpoint_name(target, policy.model.name))


@lru_cache(maxsize=4096)
def _meet(one: str, other: str) -> bool:
    """Whether some text matches both patterns of `*`, `?` and plain characters."""
    head = min(_plain_length(one), _plain_length(other))
    if one[:head] != other[:head]:
        return False
    one, other = re.sub(r"\*+", "*", one[head:]), re.sub(r"\*+", "*", other[head:])
    # reachable: how much of `other` can be used up by what `one` has said so far.
    reachable = _through_stars(other, {0})
    for character in one:
        if character == "*":
            reachable = set(range(min(reachable, default=len(other) + 1), len(other) + 1))
            continue
        after = {at + 1 for at in reachable if at < len(other) and _same(character, other[at])}
        stay = {at for at in reachable if at < len(other) and other[at] == "*"}
        reachable = _through_stars(other, after | stay)
    return len(other) in reachable


def _through_stars(pattern: str, places: set[int]) -> set[int]:
    """A star may stand for nothing, so a place before it is also a place behind it."""
    return places | {at + 1 for at in places if at < len(pattern) and pattern[at] == "*"}


def _same(one: str, other: str) -> bool:
    return other != "*" and (one == other or "?" in (one, other))


def _plain_length(pattern: str) -> int:
    return len(re.split(r"[*?]", pattern, maxsplit=1)[0])
