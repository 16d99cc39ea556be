"""ASP.NET Core's route templates, as the Functions host uses them: `rollouts/{policy}/{endpoint:alpha?}`, `{*rest}`.

Literals match without regard to case, and a route with more literals is tried before one with parameters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

_CONSTRAINTS = {
    None: r"[^/]+",
    "int": r"-?\d+",
    "long": r"-?\d+",
    "alpha": r"[A-Za-z]+",
    "bool": r"(?i:true|false)",
    "guid": r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
}
_PARAMETER = re.compile(r"^\{(\*{0,2})([A-Za-z_][A-Za-z0-9_]*)(?::([a-z]+))?(\?)?\}$")
_ENCODED_SLASH = re.compile("%2f", re.IGNORECASE)
#: The host refuses what begins like its own routes, by plain prefix and before the route prefix is added.
_RESERVED = ("admin", "runtime")


@dataclass(frozen=True)
class Route:
    """One parsed template."""

    template: str
    pattern: re.Pattern[str]
    order: tuple[int, ...]
    """Smaller is tried first: per segment 0 literal, 1 constrained, 2 parameter, 3 catch-all."""

    @classmethod
    def parse(cls, template: str, prefix: str = "") -> Route:
        """ValueError when the host would refuse the route."""
        if template.lower().startswith(_RESERVED):
            raise ValueError(f"The specified route conflicts with one or more built in routes: '{template}'.")
        segments = [segment for segment in f"{prefix}/{template}".split("/") if segment]
        parsed = [_segment(segment) for segment in segments]
        return cls(template, re.compile("".join(text for text, _ in parsed) + "/?$"), tuple(rank for _, rank in parsed))

    def match(self, raw_path: str) -> dict[str, str] | None:
        """The route values of a still encoded path, or None. An encoded slash stays encoded, as in ASP.NET."""
        found = self.pattern.match(raw_path)
        if found is None:
            return None
        return {name: _decoded(value) for name, value in found.groupdict().items() if value is not None}


def _segment(segment: str) -> tuple[str, int]:
    if "{" not in segment:
        return f"/(?i:{re.escape(segment)})", 0
    parameter = _PARAMETER.match(segment)
    if parameter is None:
        raise ValueError(f"The local host does not know the route segment '{segment}'.")
    stars, name, constraint, optional = parameter.groups()
    if stars:
        return f"(?:/(?P<{name}>.*))?", 3
    if constraint not in _CONSTRAINTS:
        raise ValueError(f"The constraint '{constraint}' in the route segment '{segment}' is not known.")
    text = f"/(?P<{name}>{_CONSTRAINTS[constraint]})"
    return (f"(?:{text})?" if optional else text), 1 if constraint else 2


def _decoded(value: str) -> str:
    return unquote(_ENCODED_SLASH.sub("%252F", value))
