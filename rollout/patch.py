"""What changed between two JSON objects: the members that differ, and under `-` the names of those that are gone.

Like a JSON merge patch (RFC 7386), but a null is a value here: what could not be read is told apart from what was not
looked at. No member of what is compared is called `-`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

GONE = "-"


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Json:
    """The patch that makes `after` of `before`; empty where nothing changed."""
    patch: Json = {}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            inner = difference(old, value)
            if inner:
                patch[key] = inner
        elif key not in before or old != value:
            patch[key] = value
    gone = [key for key in before if key not in after]
    return patch | {GONE: gone} if gone else patch


def applied(before: Mapping[str, Any], patch: Mapping[str, Any]) -> Json:
    """What `patch` makes of `before`."""
    after = {key: value for key, value in before.items() if key not in patch.get(GONE, ())}
    for key, value in patch.items():
        if key != GONE:
            old = after.get(key)
            both = isinstance(value, Mapping) and isinstance(old, Mapping)
            after[key] = applied(dict(old or {}), value) if both else value
    return after
