"""Drift results as log messages, in the shape that the example scenario's queries and alerts read.

`OverallDriftMetrics` holds a flat object, `FeatureDriftMetrics` a list, cut into several messages where one would be
longer than Application Insights keeps.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cloud.insights import LONGEST_MESSAGE
from drift.measure import FeatureDrift, Measured

ROOM = LONGEST_MESSAGE - 1_000
"""For the list itself: the rest of a message is the model's name and the keys."""


def messages(model_name: str, measured: Measured) -> Iterator[dict[str, Any]]:
    """The messages of one measurement, the overall one first."""
    yield {"model_name": model_name, "type": "OverallDriftMetrics", "data": overall(measured)}
    for part in _parts([feature(one) for one in measured.features]):
        yield {"model_name": model_name, "type": "FeatureDriftMetrics", "data": part}


def overall(measured: Measured) -> dict[str, Any]:
    """The data set in four numbers."""
    return {
        "n_features": len(measured.features),
        "n_drifted_features": measured.drifted,
        "share_drifted_features": measured.share,
        "dataset_drift": measured.dataset_drift,
    }


def feature(one: FeatureDrift) -> dict[str, Any]:
    """One feature's measure."""
    return {
        "feature_name": one.name,
        "drift_score": one.score,
        "drift_detected": one.drifted,
        "feature_type": one.kind,
        "stattest_name": one.test,
    }


def _parts(items: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    part: list[dict[str, Any]] = []
    length = 0
    for item in items:
        size = len(json.dumps(item)) + 1
        if part and length + size > ROOM:
            yield part
            part, length = [], 0
        part.append(item)
        length += size
    if part:
        yield part
