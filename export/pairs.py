"""Inputs and outputs of the same request joined into rows. Pure.

The two halves of a request may be ingested minutes apart and fall into different windows. A half without its partner
waits: it is handed to the next window, so every half ends in exactly one place, as part of a row or, when its partner
did not come within PATIENCE, among the unreadable lines. A half that was too long for one log line comes in numbered
parts, which are put together again; one missing part keeps the whole request waiting, since row numbers count through.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from export.lines import Kind, Record

PATIENCE = timedelta(hours=1)
"""Both lines are written within one request; Azure ingests them 3 to 10 minutes later (facts: logs, section 1)."""

MOST_FEATURES = 2_000
"""Columns of one file. Clients choose the names, and a file with a column for each would not fit into memory; a console
line of 16 KiB holds fewer."""

OWN_COLUMNS = ("time", "deployment", "service", "request_id", "row", "prediction")
_OWN = re.compile(rf"(feature_)*({'|'.join(OWN_COLUMNS)})")


Request = dict[tuple[Kind, int], Record]
"""What is known of one request, by kind and part."""


@dataclass(frozen=True)
class Problem:
    """Something that did not become a row, kept with the reason."""

    deployment: str
    reason: str
    line: dict[str, Any]


@dataclass(frozen=True)
class Paired:
    """What became of a window's records."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    waiting: list[Record] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    repeated: int = 0


def pair(records: Iterable[Record], window_until: datetime) -> Paired:
    """Rows of all requests that are whole; the rest waits or, when too old, becomes a problem.

    A record that Log Analytics holds twice counts once (`repeated`). The result does not depend on the order in which
    the records come.
    """
    requests: dict[tuple[str, str], Request] = {}
    repeated = 0
    for record in sorted(records, key=_order):
        request = requests.setdefault((record.deployment, record.request_id), {})
        repeated += (record.kind, record.part) in request
        request.setdefault((record.kind, record.part), record)
    result = Paired(repeated=repeated)
    joined: list[tuple[list[Record], list[Record]]] = []
    for request in requests.values():
        inputs, outputs = _whole(request, "InputData"), _whole(request, "OutputData")
        if inputs and outputs:
            joined.append((inputs, outputs))
        else:
            _keep(request, window_until, result)
    common = _common_features(inputs for inputs, _ in joined)
    for inputs, outputs in joined:
        _join(inputs, outputs, common[inputs[0].deployment], result)
    result.rows.sort(key=lambda row: (row["deployment"], row["time"], row["request_id"], row["row"]))
    return result


def _whole(request: Request, kind: Kind) -> list[Record]:
    """All parts of one half in their order; none when one is missing."""
    parts = sorted((one for one in request.values() if one.kind == kind), key=lambda one: one.part)
    return parts if parts and len(parts) == max(one.parts for one in parts) else []


def _common_features(requests: Iterable[list[Record]]) -> dict[str, set[str]]:
    """For each deployment the names that may become columns: those of most requests, where there are too many."""
    counts: dict[str, Counter[str]] = {}
    for inputs in requests:
        names = {name for half in inputs for features in half.values for name in features}
        counts.setdefault(inputs[0].deployment, Counter()).update(names)
    return {
        deployment: set(sorted(found, key=lambda name: (-found[name], name))[:MOST_FEATURES])
        for deployment, found in counts.items()
    }


def _join(inputs: list[Record], outputs: list[Record], common: set[str], result: Paired) -> None:
    reason = _unequal(inputs, outputs)
    if reason is None and any(not common.issuperset(row) for half in inputs for row in half.values):
        reason = f"features beyond the {MOST_FEATURES} that most requests of the window have"
    if reason:
        result.problems.extend(Problem(half.deployment, reason, shown(half)) for half in (*inputs, *outputs))
        return
    first = inputs[0]
    rows = [features for half in inputs for features in half.values]
    predictions = [prediction for half in outputs for prediction in half.values]
    for index, (features, prediction) in enumerate(zip(rows, predictions, strict=True)):
        row = {_column(name): value for name, value in features.items()}
        row |= {
            "time": first.time,
            "deployment": first.deployment,
            "service": first.service or outputs[0].service,
            "request_id": first.request_id,
            "row": index,
            "prediction": prediction,
        }
        result.rows.append(row)


def _unequal(inputs: list[Record], outputs: list[Record]) -> str | None:
    """Why rows and predictions do not belong together: part by part, where both halves are cut into as many."""
    sizes = [[len(half.values) for half in halves] for halves in (inputs, outputs)]
    rows, predictions = sizes if len(inputs) == len(outputs) else [[sum(each)] for each in sizes]
    differing = ((n, a, b) for n, (a, b) in enumerate(zip(rows, predictions, strict=True), start=1) if a != b)
    if (found := next(differing, None)) is None:
        return None
    number, row_count, prediction_count = found
    where = f" in part {number}" if len(rows) > 1 else ""
    return f"{row_count} input rows but {prediction_count} predictions{where}"


def _keep(request: Request, window_until: datetime, result: Paired) -> None:
    """Each part waits from its own ingestion on, so that all of them end somewhere whatever comes late."""
    kinds = {half.kind for half in request.values()}
    for half in request.values():
        if window_until - half.ingested <= PATIENCE:
            result.waiting.append(half)
            continue
        partner = "output" if half.kind == "InputData" else "input"
        missing = f"no {partner}" if len(kinds) == 1 else "not all parts"
        result.problems.append(Problem(half.deployment, f"{missing} within {PATIENCE}", shown(half)))


def _column(feature: str) -> str:
    """A feature that has the name of one of our own columns is kept under another, which no other feature gets."""
    return f"feature_{feature}" if _OWN.fullmatch(feature) else feature


def shown(record: Record) -> dict[str, Any]:
    """A record as JSON can hold it."""
    return {
        "type": record.kind,
        "deployment": record.deployment,
        "request_id": record.request_id,
        "service_name": record.service,
        "time": record.time.isoformat(),
        "ingested": record.ingested.isoformat(),
        "data": list(record.values),
        "part": record.part,
        "parts": record.parts,
    }


def _order(record: Record) -> tuple[datetime, datetime, str, int]:
    return record.ingested, record.time, record.kind, record.part
