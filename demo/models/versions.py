"""Trains versions 1 to 4: real scikit-learn models that differ in the one way their story needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.data import Data, Row, rows
from demo.jobs.train import train
from demo.schema import TARGET

if TYPE_CHECKING:
    import pandas as pd

FIRST_ROWS = 4000
"""What version 1 had to learn from; the others get everything."""
STORE = {"calls_per_second": 15.0, "wait_seconds": 0.4}
"""Version 4's customer store: above a shadow's share of the demo's traffic, below a canary's (demo.client.RATE)."""


@dataclass(frozen=True)
class Trained:
    """One version, ready to be registered."""

    version: str
    folder: Path
    description: str
    model: Any
    skill: float
    """Area under the ROC curve on rows that no version has seen."""


def train_all(data: Data, folder: Path) -> dict[str, Trained]:
    """All four, by version, each in its own folder below `folder`; about a second of work together."""
    first = _fit(data.training[:FIRST_ROWS])
    better = _fit(data.training)
    opposite = _fit(data.training, inverted=True)
    made = [
        _save("1", "few rows", first, {}, data, folder),
        _save("2", "more rows", better, {}, data, folder),
        _save("3", "labels mixed up: answers the opposite", opposite, {}, data, folder),
        _save("4", "asks a slow customer store", better, {"store": STORE}, data, folder),
    ]
    return {trained.version: trained for trained in made}


def answers(model: Any, asked: Sequence[Row]) -> list[float]:
    """The probabilities a deployment of this model would answer with."""
    return [float(chance) for chance in model.predict_proba(asked)[:, 1]]


def _fit(frame: pd.DataFrame, *, inverted: bool = False) -> Any:
    labels = frame[TARGET].to_numpy()
    return train.fit(rows(frame), 1 - labels if inverted else labels)


def _save(version: str, description: str, model: Any, notes: dict[str, Any], data: Data, folder: Path) -> Trained:
    from sklearn.metrics import roc_auc_score

    skill = float(roc_auc_score(data.holdout[TARGET], answers(model, rows(data.holdout))))
    where = train.save(model, folder / f"version-{version}", {"description": description, "auc": skill, **notes})
    return Trained(version, where, description, model, skill)
