"""The five ways in which Azure Monitor makes one number of several; the numbers are never none."""

from __future__ import annotations

from collections.abc import Sequence


def aggregate(name: str, values: Sequence[float]) -> float:
    """`Average`, `Minimum`, `Maximum`, `Total` or `Count` of the values; KeyError for another name."""
    match name.lower():
        case "average":
            return sum(values) / len(values)
        case "minimum":
            return min(values)
        case "maximum":
            return max(values)
        case "total":
            return sum(values)
        case "count":
            return float(len(values))
    raise KeyError(name)
