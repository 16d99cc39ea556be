"""Two outputs of the same sample, paired row by row. Pure.

A batch job appends its rows in whatever order its mini batches end, so rows are paired by what names them: the first
and last column together (an MLflow model's rows are `row,prediction,file`), the last, or the first, whichever tells
live's rows apart and finds most of them again in the candidate's output. Where none finds half of them, the rows have
no names and are paired by place. Columns are commas or blanks apart.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

Row = tuple[str, ...]
Key = tuple[str, ...]
Name = Callable[[Row], Key]

NAMES: tuple[tuple[int, Name], ...] = (
    (3, lambda row: (row[0], row[-1])),
    (2, lambda row: (row[-1],)),
    (2, lambda row: (row[0],)),
)
"""(columns that every row must have, what names it)."""


@dataclass(frozen=True)
class Compared:
    """What the comparison of two outputs came to."""

    rows: int
    """Rows of live's output."""
    missing: int
    """Those that the candidate's output does not have."""
    pairs: int
    """Rows that both have, and rows that only the candidate has: an answer too many agrees with nothing."""
    agreed: int


def compare(live: Iterable[str], candidate: Iterable[str], tolerance: float) -> Compared:
    """Compare the lines of two outputs; numbers agree as the agreement gate says."""
    base, other = _rows(live), _rows(candidate)
    paired = max((_paired(base, other, name) for name in _telling_apart(base)), key=len, default=[])
    if len(paired) * 2 < len(base):
        paired = list(zip(base, other, strict=False))
    agreed = sum(_agree(one, another, tolerance) for one, another in paired)
    extra = len(other) - len(paired)
    return Compared(len(base), len(base) - len(paired), len(paired) + extra, agreed)


def _rows(lines: Iterable[str]) -> list[Row]:
    kept = [line for line in (one.strip() for one in lines) if line]
    if not any("," in line for line in kept):
        return [tuple(line.split()) for line in kept]
    try:
        return [tuple(field.strip() for field in row) for row in csv.reader(kept, skipinitialspace=True)]
    except csv.Error:  # a field too long for a table
        return [tuple(line.split(",")) for line in kept]


def _telling_apart(rows: Sequence[Row]) -> list[Name]:
    """The names by which no two of the rows are the same."""
    shortest = min(map(len, rows), default=0)
    return [name for columns, name in NAMES if shortest >= columns and len({name(row) for row in rows}) == len(rows)]


def _paired(live: Sequence[Row], candidate: Sequence[Row], name: Name) -> list[tuple[Row, Row]]:
    answers = {name(row): row for row in candidate}
    return [(row, answers[name(row)]) for row in live if name(row) in answers]


def _agree(live: Row, candidate: Row, tolerance: float) -> bool:
    return len(live) == len(candidate) and all(
        _same(one, other, tolerance) for one, other in zip(live, candidate, strict=True)
    )


def _same(live: str, candidate: str, tolerance: float) -> bool:
    if live == candidate:
        return True
    try:
        one, other = float(live), float(candidate)
    except ValueError:
        return False
    return abs(one - other) <= tolerance * max(1.0, abs(one))
