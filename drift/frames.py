"""Two tables made comparable: the same columns, of the same kinds, and for every other column the reason.

Evidently loses the whole report over one empty column, and disagrees with itself on infinity (facts: drift, section
1); both are settled here, before it sees the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["categorical", "numerical"]

NOT_FEATURES = frozenset({"time", "deployment", "service", "request_id", "row"})
"""Columns that the export adds. `prediction` is compared like a feature when the baseline has it."""


@dataclass(frozen=True)
class Comparable:
    """`kinds` names the columns of both frames; `skipped` every other column with the reason."""

    reference: pd.DataFrame
    current: pd.DataFrame
    kinds: dict[str, Kind]
    skipped: dict[str, str]


def comparable(reference: pd.DataFrame, current: pd.DataFrame, kinds: Mapping[str, Kind]) -> Comparable:
    """Align the frames. `kinds` is what the policy says; where it says nothing, the types of the data decide."""
    import pandas as pd

    left: dict[str, pd.Series] = {}
    right: dict[str, pd.Series] = {}
    found: dict[str, Kind] = {}
    skipped: dict[str, str] = {}
    for name in sorted({*map(str, reference.columns), *map(str, current.columns), *kinds} - NOT_FEATURES):
        missing = [where for where, frame in (("baseline", reference), ("window", current)) if name not in frame]
        if missing:
            skipped[name] = f"not in the {' nor in the '.join(missing)}"
            continue
        if empty := _empty(reference[name], current[name]):
            skipped[name] = empty
            continue
        kind = kinds.get(name) or _kind(reference[name], current[name])
        if kind is None:
            skipped[name] = "nearly every value is another one, like an id or free text; name its kind to measure it"
            continue
        one, two = _clean(reference[name], kind), _clean(current[name], kind)
        if empty := _empty(one, two):
            skipped[name] = f"{empty} that is a number"
            continue
        left[name], right[name], found[name] = one, two, kind
    return Comparable(pd.DataFrame(left), pd.DataFrame(right), found, skipped)


def _empty(reference: pd.Series, current: pd.Series) -> str | None:
    empty = [where for where, column in (("baseline", reference), ("window", current)) if not column.notna().any()]
    return f"no value in the {' nor in the '.join(empty)}" if empty else None


def _kind(reference: pd.Series, current: pd.Series) -> Kind | None:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if all(is_numeric_dtype(one) and not is_bool_dtype(one) for one in (reference, current)):
        return "numerical"
    known = reference.dropna().map(_category)
    return None if len(known) and known.nunique() > len(known) / 2 else "categorical"


def _clean(column: pd.Series, kind: Kind) -> pd.Series:
    import pandas as pd

    if kind == "numerical":
        numbers = pd.to_numeric(column, errors="coerce").astype("float64")
        return numbers.replace([float("inf"), float("-inf")], float("nan")).reset_index(drop=True)
    return column.astype(object).map(_category, na_action="ignore").reset_index(drop=True)


def _category(value: Any) -> str:
    """One spelling for one code: 1 in the baseline, 1.0 or "1" in the window."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        return "true" if value else "false"
    if hasattr(value, "is_integer") and value.is_integer():
        return str(int(value))
    return str(value)
