"""Evidently's data drift preset over two comparable frames. The only file that imports Evidently (seconds).

Its default tests and thresholds are kept, so the numbers are those that anybody gets who runs Evidently by hand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cloud.errors import Permanent
from drift.frames import Comparable


@dataclass(frozen=True)
class FeatureDrift:
    """One feature's measure. `score` is a distance or a p-value, as `test` says; None where it is no number."""

    name: str
    score: float | None
    drifted: bool
    kind: str
    test: str
    threshold: float | None


@dataclass(frozen=True)
class Measured:
    """All measures of one window; `skipped` names the features without one, with the reason."""

    features: tuple[FeatureDrift, ...]
    drifted: int
    share: float
    dataset_drift: bool
    skipped: dict[str, str]
    report: Any
    """Evidently's snapshot."""

    def save_html(self, path: Path) -> None:
        """Write Evidently's page."""
        self.report.save_html(str(path))


def measure(frames: Comparable, share: float) -> Measured | None:
    """Measure every comparable feature; None when there is none. `share` of drifted features is dataset drift."""
    if not frames.kinds:
        return None
    import evidently.presets  # noqa: F401 - outside the try: a broken installation is no broken column

    try:
        return _measured(frames, share)
    except Exception:  # one bad column loses Evidently's whole report, with whatever exception numpy has for it
        rest = _without_failing(frames, share)
    if not rest.kinds:
        return None
    try:
        return _measured(rest, share)
    except Exception as error:
        raise Permanent(f"Evidently measures each feature, but not all together: {error}") from error


def _without_failing(frames: Comparable, share: float) -> Comparable:
    kinds, skipped = dict(frames.kinds), dict(frames.skipped)
    for name in frames.kinds:
        alone = Comparable(frames.reference[[name]], frames.current[[name]], {name: frames.kinds[name]}, {})
        try:
            _measured(alone, share)
        except Exception as error:
            skipped[name] = f"cannot be measured: {error}"
            del kinds[name]
    return replace(frames, kinds=kinds, skipped=skipped)


def _measured(frames: Comparable, share: float) -> Measured:
    snapshot = _snapshot(frames, share)
    found = snapshot.dict()
    failed = {test["metric_config"]["metric_id"] for test in found["tests"] if test["status"] == "FAIL"}
    features: list[FeatureDrift] = []
    count: dict[str, Any] = {}
    for metric in found["metrics"]:
        config = metric["config"]
        if "column" not in config:
            count = metric["value"]
            continue
        name = config["column"]
        features.append(
            FeatureDrift(
                name=name,
                score=_number(metric["value"]),
                drifted=metric["id"] in failed,
                kind={"categorical": "cat", "numerical": "num"}[frames.kinds[name]],
                test=str(config["method"]),
                threshold=_number(config["threshold"]),
            )
        )
    features.sort(key=lambda one: one.name)
    drifted_share = float(count["share"])
    return Measured(
        features=tuple(features),
        drifted=int(count["count"]),
        share=drifted_share,
        dataset_drift=bool(drifted_share >= share),
        skipped=frames.skipped,
        report=snapshot,
    )


def _snapshot(frames: Comparable, share: float) -> Any:
    import numpy
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    names = {kind: [name for name, own in frames.kinds.items() if own == kind] for kind in ("numerical", "categorical")}
    definition = DataDefinition(numerical_columns=names["numerical"], categorical_columns=names["categorical"])
    current, reference = (
        Dataset.from_pandas(frame[list(frames.kinds)], data_definition=definition)
        for frame in (frames.current, frames.reference)
    )
    with numpy.errstate(all="ignore"):  # a constant column divides by zero, and Evidently knows
        return Report([DataDriftPreset(drift_share=share)], include_tests=True).run(current, reference)


def _number(value: Any) -> float | None:
    """A plain float: Evidently gives numpy's, and JSON has no NaN."""
    number = float(value)
    return number if math.isfinite(number) else None
