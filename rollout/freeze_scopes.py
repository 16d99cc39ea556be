"""Whether the scope of a freeze names anything: a misspelt one would stop nothing, and nobody would notice.

What there is: the policies that are uploaded, with their targets, and the endpoints that ever had a rollout. A policy
that is there and not understood may have any target: whoever has to stop something is not kept from it by that.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches

from cloud.blobs import Blobs
from policy.load import load
from policy.model import Policy
from policy.problems import PolicyError
from rollout.frozen import EVERYTHING
from rollout.place import owns
from rollout.policies import POLICIES, SUFFIX
from rollout.store import Store

SHOWN = 5


def unknown(scope: str, blobs: Blobs) -> str:
    """Why a freeze of the scope (`all`, `policy`, `policy/target`, `policy/target/endpoint`) would stop nothing, or
    nothing.
    """
    if scope == EVERYTHING:
        return ""
    policy, *rest = scope.lower().split("/")
    places = [(one.policy.lower(), one.target.lower(), one.endpoint) for one in Store(blobs).listings()]
    uploaded = _uploaded(blobs)
    if policy not in {*uploaded, *(place[0] for place in places)}:
        return _unknown("policy", policy, [*uploaded, *(place[0] for place in places)])
    known = _read(blobs, policy) if policy in uploaded else None
    if not rest or (policy in uploaded and known is None):
        return ""
    targets = [one.name for one in known.targets] if known is not None else []
    targets += [place[1] for place in places if place[0] == policy]
    if rest[0] not in targets:
        return _unknown(f"target of {policy}", rest[0], targets)
    if len(rest) == 1 or (policy, *rest) in places or _owned(known, rest[0], rest[1]):
        return ""
    endpoints = [place[2] for place in places if place[:2] == (policy, rest[0])]
    endpoints += [one.endpoint for one in known.targets if one.name == rest[0]] if known is not None else []
    return _unknown(f"endpoint of {policy}/{rest[0]}", rest[1], endpoints)


def _uploaded(blobs: Blobs) -> list[str]:
    return [blob.name.removesuffix(SUFFIX) for blob in blobs.list(POLICIES) if blob.name.endswith(SUFFIX)]


def _read(blobs: Blobs, name: str) -> Policy | None:
    stored = blobs.read(POLICIES, name + SUFFIX)
    with suppress(PolicyError):
        return load(stored.data, f"{name}{SUFFIX}", rules=False) if stored is not None else None
    return None


def _owned(policy: Policy | None, target: str, endpoint: str) -> bool:
    return policy is not None and any(owns(one, endpoint) for one in policy.targets if one.name == target)


def _unknown(what: str, name: str, known: Sequence[str]) -> str:
    names = sorted(set(known))
    close = get_close_matches(name, names, 1, 0.6)
    meant = f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(names[:SHOWN]) or 'none'}"
    return f"scope: there is no {what} called {name!r}{meant}"
