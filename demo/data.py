"""The rows the demo lives on: made up by default, real when a CSV is given, and a drifted version of either.

Made-up rows follow the real ones' columns, codes and rough shapes, with a signal that a model can learn; they are
nobody's data. A pandas frame is used throughout, because the baseline is written as Parquet from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from demo.schema import BILLS, CATEGORICAL, FEATURES, MONTHS, NUMERIC, PAYMENTS, REPAYMENT, STATUSES, TARGET

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Row = dict[str, Any]

MINIMUM_ROWS = 10_000
"""Below this there is too little to train on, to hold back and to send as traffic."""
REFERENCE_ROWS = 1000
"""Rows of the drift baseline. Up to this many Evidently tests each feature for significance, which holds for a window
of fifty rows too; above, it measures distances, and those call every small sample drifted."""


class DataRefused(Exception):
    """The CSV cannot be used; the text says what to change."""


@dataclass(frozen=True)
class Data:
    """What one run of the demo uses, cut so that no row is both trained on and sent as traffic."""

    origin: str
    """Said in the output: where the rows come from."""
    training: pd.DataFrame
    holdout: pd.DataFrame
    traffic: pd.DataFrame

    @property
    def reference(self) -> pd.DataFrame:
        """The drift baseline: a small sample of what was trained on."""
        return self.training.sample(REFERENCE_ROWS, random_state=1)


def load(csv: Path | None, *, seed: int = 7) -> Data:
    """The real rows of `csv`, or synthetic ones, shuffled and cut into training, hold-out and traffic."""
    if csv is None:
        frame, origin = synthetic(12_000, seed=seed), "synthetic rows on the credit-card schema (nobody's data)"
    else:
        frame = from_csv(csv)
        origin = f"{len(frame):,} real rows of {csv}"
    frame = frame.sample(frac=1.0, random_state=seed, ignore_index=True)
    half, fifth = len(frame) // 2, len(frame) // 5
    return Data(origin, frame[:half], frame[half : half + fifth], frame[half + fifth :])


def from_csv(path: Path) -> pd.DataFrame:
    """Rows of a CSV with the example's columns; DataRefused says what is missing."""
    import pandas as pd

    try:
        frame = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise DataRefused(f"{path} cannot be read as CSV: {error}") from error
    if missing := [column for column in (*FEATURES, TARGET) if column not in frame.columns]:
        raise DataRefused(f"{path} lacks the columns {', '.join(missing)}; the header must be the example scenario's")
    frame = frame[[*FEATURES, TARGET]].dropna()
    if len(frame) < MINIMUM_ROWS:
        raise DataRefused(f"{path} has {len(frame)} complete rows; at least {MINIMUM_ROWS} are needed")
    return frame


def synthetic(count: int, *, seed: int) -> pd.DataFrame:
    """Made-up customers. One hidden number, how strained a customer is, ties payments, delays and default together."""
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(seed)
    strain = random.normal(size=count)
    limit = _rounded(np.exp(11.6 - 0.35 * strain + 0.6 * random.normal(size=count)).clip(10_000, 1_000_000), 10_000)
    columns: dict[str, Any] = {
        "sex": random.choice(["female", "male"], size=count, p=[0.6, 0.4]),
        "education": _education(strain, random),
        "marriage": random.choice(["single", "married", "other"], size=count, p=[0.53, 0.45, 0.02]),
        "credit_limit": limit,
        "age": random.normal(36, 9, size=count).clip(21, 79).astype(int),
    }
    debt = (0.30 + 0.18 * strain + 0.12 * random.normal(size=count)).clip(0.0, 1.1)
    for month in MONTHS:
        drift = 0.25 * random.normal(size=count)
        columns[f"repayment_status_{month}"] = _statuses(strain + 0.6 * random.normal(size=count))
        columns[f"bill_amount_{month}"] = (limit * debt * np.exp(drift)).astype(int)
        paid = np.exp(7.6 - 0.5 * strain + 0.7 * random.normal(size=count))
        columns[f"payment_amount_{month}"] = paid.clip(0, 100_000).astype(int)
    chance = 1 / (1 + np.exp(1.7 - 1.1 * strain))
    columns[TARGET] = (random.random(count) < chance).astype(int)
    return pd.DataFrame(columns)[[*FEATURES, TARGET]]


def drifted(frame: pd.DataFrame, *, seed: int = 11) -> pd.DataFrame:
    """The same customers in a downturn: older, lower limits, higher bills, smaller payments, later with them."""
    import numpy as np

    random = np.random.default_rng(seed)
    worse = frame.copy()
    worse["age"] = (worse["age"] + 14).clip(upper=85)
    worse["credit_limit"] = _rounded((worse["credit_limit"] * 0.35).clip(lower=10_000), 10_000)
    for column in BILLS:
        worse[column] = (worse[column].abs() * 1.9 + 20_000).astype(int)
    for column in PAYMENTS:
        worse[column] = (worse[column].clip(upper=20_000) * 0.15).astype(int)
    delays = np.array(["no_delay", "1_month_delay", "2_months_delay", "3_months_delay"])
    for column in REPAYMENT:
        late = random.random(len(worse)) < 0.6
        worse[column] = np.where(late, random.choice(delays, size=len(worse), p=[0.1, 0.3, 0.4, 0.2]), worse[column])
    schooling = random.choice(["high_school", "university"], size=len(worse), p=[0.7, 0.3])
    worse["education"] = np.where(random.random(len(worse)) < 0.6, schooling, worse["education"])
    return worse


def rows(frame: pd.DataFrame) -> list[Row]:
    """The features of every row as a request sends them: plain JSON values, no target."""
    return cast("list[Row]", frame[list(FEATURES)].to_dict(orient="records"))


def feature_kinds() -> Mapping[str, str]:
    """What each feature is, as the policy's `drift.features` wants it."""
    return {**dict.fromkeys(CATEGORICAL, "categorical"), **dict.fromkeys(NUMERIC, "numerical")}


def _rounded(values: Any, step: int) -> Any:
    return (values / step).round().astype(int) * step


def _education(strain: np.ndarray[Any, Any], random: np.random.Generator) -> Any:
    import numpy as np

    score = strain + 1.2 * random.normal(size=len(strain))
    return np.select([score < -0.5, score < 1.2], ["graduate_school", "university"], "high_school")


def _statuses(score: np.ndarray[Any, Any]) -> Any:
    import numpy as np

    edges = np.array([-1.3, -0.7, 0.7, 1.1, 2.2])
    return np.array(STATUSES)[np.searchsorted(edges, score)]
