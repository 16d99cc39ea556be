"""One measurement of one endpoint: read, compare, report, retrain, publish, and the result file last."""

from __future__ import annotations

import tempfile
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloud.errors import Permanent
from drift.baseline import baseline
from drift.context import Context, Watched
from drift.frames import comparable
from drift.measure import Measured, measure
from drift.messages import feature, messages, overall
from drift.retrain import retrain
from drift.store import DATA, report_name, save_result, stamp
from drift.traffic import rows
from policy.model import Drift

if TYPE_CHECKING:
    import pyarrow

LEAST_ROWS = 50
"""Fewer rows, in the window or the baseline, are no evidence: tests on a handful of rows find drift by chance."""


def measure_endpoint(context: Context, one: Watched, settings: Drift, until: datetime, now: datetime) -> dict[str, Any]:
    """Measure the window that ends at `until` and return what was saved as its result.

    `status` is `measured`, `not enough data` (never drift) or `not possible`, with the reason. Temporary: nothing was
    saved, the whole is to be done again.
    """
    import pyarrow

    place = one.place
    result: dict[str, Any] = {
        "policy": place.policy,
        "target": place.target,
        "endpoint": place.endpoint,
        "since": stamp(until - settings.window),
        "until": stamp(until),
        "measured_at": stamp(now),
    }
    try:
        result |= _compared(context, one, settings, until, now)
    except Permanent as error:
        result |= {"status": "not possible", "reason": error.reason}
    except (pyarrow.ArrowException, ValueError) as error:  # data of a kind that nobody thought of
        result |= {"status": "not possible", "reason": f"{type(error).__name__}: {error}"}
    save_result(context.blobs, place, until, result)
    return result


def _compared(context: Context, one: Watched, settings: Drift, until: datetime, now: datetime) -> dict[str, Any]:
    place, since = one.place, until - settings.window
    current = rows(context.blobs, place, since, until)
    reference = baseline(context, one, until, settings.window, LEAST_ROWS)
    counts = {"rows": len(current), "baseline_rows": len(reference)}
    if min(counts.values()) < LEAST_ROWS:
        reason = f"{len(current)} rows against {len(reference)}: at least {LEAST_ROWS} of each are needed"
        return {"status": "not enough data", "reason": reason, **counts}
    frames = comparable(reference.to_pandas(), current.to_pandas(), settings.features)
    measured = measure(frames, settings.share)
    if measured is None:
        return {"status": "not possible", "reason": "no feature can be compared", "skipped": frames.skipped, **counts}
    _save_report(context, one, measured, until)
    model = _model_name(one, current)
    return {
        "status": "measured",
        "model_name": model,
        **counts,
        "overall": overall(measured),
        "features": [feature(each) | {"threshold": each.threshold} for each in measured.features],
        "skipped": measured.skipped,
        "report": report_name(place, until),
        "retrain": _retrained(context, one, measured, until, now),
        "published": _published(context, model, measured),
    }


def _save_report(context: Context, one: Watched, measured: Measured, until: datetime) -> None:
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        measured.save_html(page)
        context.blobs.write(DATA, report_name(one.place, until), page.read_bytes(), content_type="text/html")


def _retrained(
    context: Context, one: Watched, measured: Measured, until: datetime, now: datetime
) -> dict[str, Any] | None:
    """Done before the result is saved: a crash in between repeats it, and the job has the same name again."""
    settings = one.policy.retrain
    if not measured.dataset_drift or settings is None or "drift" not in settings.after:
        return None
    answer = retrain(context, one, f"drift at {stamp(until)}", now)
    return {"job": answer.job, "reason": answer.reason}


def _published(context: Context, model: str, measured: Measured) -> bool:
    if context.insights is None:
        return False
    for message in messages(model, measured):
        context.insights.trace(message)
    return True


def _model_name(one: Watched, current: pyarrow.Table) -> str:
    """The model that wrote most of the rows (`online/<model>/<version>`), for a policy that watches many."""
    if not one.policy.model.is_wildcard:
        return one.policy.model.name
    parts = [str(service).split("/") for service in current["service"].to_pylist()]
    names = Counter(part[1] for part in parts if len(part) == 3 and part[0] == "online")
    return names.most_common(1)[0][0] if names else one.place.endpoint
