"""The `$filter` of the metrics APIs: which dimensions to split by and which of their values to keep."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_CONDITION = re.compile(r"(?P<name>\w+)\s+(?P<operator>eq|ne|sw)\s+'(?P<value>[^']*)'", re.IGNORECASE)


@dataclass(frozen=True)
class Kept:
    """Which values of one dimension are wanted. Names and values are compared without regard to case."""

    equal: frozenset[str] = frozenset()
    not_equal: frozenset[str] = frozenset()
    starts_with: tuple[str, ...] = ()

    def keeps(self, value: str) -> bool:
        """Whether a value passes; `*` among the equal ones keeps every value."""
        lower = value.lower()
        if lower in self.not_equal:
            return False
        if not self.equal and not self.starts_with:
            return True
        return "*" in self.equal or lower in self.equal or lower.startswith(self.starts_with)


@dataclass(frozen=True)
class Filter:
    """Dimension (Azure's spelling) -> wanted values; a dimension named here splits the series."""

    dimensions: Mapping[str, Kept] = field(default_factory=dict)


def parse(text: str, known: Mapping[str, object]) -> Filter:
    """Read `deployment eq 'blue' and statusCodeClass eq '*'`; ValueError names what is wrong."""
    if not text.strip():
        return Filter()
    rest = _CONDITION.sub("", text)
    if re.sub(r"\b(and|or)\b|[\s()]", "", rest, flags=re.IGNORECASE):
        raise ValueError(f"the filter {text!r} is not understood near {rest.strip()!r}")
    spelling = {name.lower(): name for name in known}
    found: dict[str, dict[str, set[str]]] = {}
    for match in _CONDITION.finditer(text):
        name = spelling.get(match["name"].lower())
        if name is None:
            raise ValueError(f"there is no dimension {match['name']!r}; there are: {', '.join(known) or 'none'}")
        found.setdefault(name, {}).setdefault(match["operator"].lower(), set()).add(match["value"].lower())
    return Filter(
        {
            name: Kept(
                frozenset(values.get("eq", ())), frozenset(values.get("ne", ())), tuple(sorted(values.get("sw", ())))
            )
            for name, values in found.items()
        }
    )
