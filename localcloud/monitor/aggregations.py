"""The five ways in which Azure Monitor makes one number of several; there is always at least one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Summary(NamedTuple):
    """Several numbers, as the metrics store keeps them."""

    minimum: float
    maximum: float
    total: float
    samples: float


def single(value: float) -> Summary:
    """The summary of one number."""
    return Summary(value, value, value, 1.0)


def merged(parts: Iterable[Summary]) -> Summary:
    """The summary of everything that the parts stand for."""
    minimums, maximums, totals, counts = zip(*parts, strict=True)
    return Summary(min(minimums), max(maximums), sum(totals), sum(counts))


def aggregate(name: str, parts: Iterable[Summary]) -> float:
    """`Average`, `Minimum`, `Maximum`, `Total` or `Count` of the parts; KeyError for another name."""
    whole = merged(parts)
    match name.lower():
        case "average":
            return whole.total / whole.samples if whole.samples else 0.0
        case "minimum":
            return whole.minimum
        case "maximum":
            return whole.maximum
        case "total":
            return whole.total
        case "count":
            return whole.samples
    raise KeyError(name)
