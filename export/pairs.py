"""Inputs and outputs of the same request joined into rows. Pure.

The two halves of a request may be ingested minutes apart and fall into different windows. A half without its partner
waits: it is handed to the next window, so every half ends in exactly one place, as part of a row or, when its partner
did not come within PATIENCE, among the unreadable lines.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from export.lines import Record

PATIENCE = timedelta(hours=1)
"""Both lines are written within one request; Azure ingests them 3 to 10 minutes later (facts: logs, section 1)."""

OWN_COLUMNS = ("time", "deployment", "service", "request_id", "row", "prediction")


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
    halves: dict[tuple[str, str], dict[str, Record]] = {}
    repeated = 0
    for record in sorted(records, key=_order):
        request = halves.setdefault((record.deployment, record.request_id), {})
        repeated += record.kind in request
        request.setdefault(record.kind, record)
    result = Paired(repeated=repeated)
    for request in halves.values():
        if len(request) == 2:
            _join(request["InputData"], request["OutputData"], result)
        else:
            _keep(next(iter(request.values())), window_until, result)
    result.rows.sort(key=lambda row: (row["deployment"], row["time"], row["request_id"], row["row"]))
    return result


def _join(inputs: Record, outputs: Record, result: Paired) -> None:
    if len(inputs.values) != len(outputs.values):
        reason = f"{len(inputs.values)} input rows but {len(outputs.values)} predictions"
        result.problems.extend(Problem(half.deployment, reason, shown(half)) for half in (inputs, outputs))
        return
    for index, (features, prediction) in enumerate(zip(inputs.values, outputs.values, strict=True)):
        row = {_column(name): value for name, value in features.items()}
        row |= {
            "time": inputs.time,
            "deployment": inputs.deployment,
            "service": inputs.service or outputs.service,
            "request_id": inputs.request_id,
            "row": index,
            "prediction": prediction,
        }
        result.rows.append(row)


def _keep(half: Record, window_until: datetime, result: Paired) -> None:
    if window_until - half.ingested <= PATIENCE:
        result.waiting.append(half)
        return
    partner = "output" if half.kind == "InputData" else "input"
    result.problems.append(Problem(half.deployment, f"no {partner} within {PATIENCE}", shown(half)))


def _column(feature: str) -> str:
    """A feature that has the name of one of our own columns is kept under another."""
    return f"feature_{feature}" if feature in OWN_COLUMNS else feature


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
    }


def _order(record: Record) -> tuple[datetime, datetime, str]:
    return record.ingested, record.time, record.kind
