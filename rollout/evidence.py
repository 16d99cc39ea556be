"""Evidence from Log Analytics: counts by deployment, and mirrored requests answered by both.

Read afresh from the step's beginning at every look, so that late rows are counted, nothing is counted twice, and a
crash loses nothing. Log Analytics does the counting; a few numbers cross the wire.

Whether Azure writes mirrored requests to the traffic log is not documented. Where it does not, the shadow's log is
empty and both arms are read from the endpoint's metrics instead, which are recorded for it; the evidence says so.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from cloud.kql import render
from cloud.logs import Logs
from cloud.metrics import Metrics
from rollout.record import Query
from rollout.verdict import Arm, Evidence

QUERIES = Path(__file__).parent / "queries"


QUERY_SECONDS = 20.0
"""Longest time for one query: less than what is left of a lease that was just renewed."""
FAILED = frozenset({"408", "424", "429"})
"""Statuses that count as errors beside 5xx: time-out, the model's own failure, too busy."""


class EvidenceReader:
    """Reads evidence about one endpoint in `region` from one Log Analytics workspace, or from its metrics.

    `between` is called before each query: two of them together may outlast the lease.
    """

    def __init__(
        self,
        logs: Logs,
        metrics: Metrics,
        workspace_id: str,
        endpoint_id: str,
        region: str,
        *,
        between: Callable[[], None],
    ) -> None:
        self._logs, self._metrics = logs, metrics
        self._workspace_id, self._endpoint_id, self._region = workspace_id, endpoint_id, region
        self._between = between
        self._asked = dict[str, Query]()

    def read(
        self,
        *,
        live: str | None,
        candidate: str,
        live_window: tuple[datetime, datetime],
        window: tuple[datetime, datetime],
        tolerance: float | None,
    ) -> Evidence:
        """Both arms, and the pairs unless `tolerance` is None. The live arm may have a window of its own.

        After full promotion the live deployment gets no requests any more: its requests before that are what the
        candidate is compared with.
        """
        arms = self._arms(*window)
        base = arms if live_window == window else self._arms(*live_window)
        pairs, agreed, source = 0, 0, "log_analytics"
        if live is not None and tolerance is not None:
            pairs, agreed = self._pairs(live, candidate, window, tolerance)
            if pairs and candidate not in arms:
                base = arms = self._arms_from_metrics(*window)
                source = "metrics"
        return Evidence(
            since=window[0],
            until=window[1],
            live=base.get(live or "", Arm()),
            candidate=arms.get(candidate, Arm()),
            pairs=pairs,
            agreed=agreed,
            source=source,
            queries=tuple(self._asked.values()),
        )

    def _arms(self, since: datetime, until: datetime) -> dict[str, Arm]:
        rows = self._run("requests.kql", since, until)
        return {
            str(row["DeploymentName"]): Arm(
                int(row["requests"]), int(row["errors"]), _number(row["p95_ms"]), int(row["load"])
            )
            for row in rows
        }

    def _arms_from_metrics(self, since: datetime, until: datetime) -> dict[str, Arm]:
        """RequestsPerMinute has averages only: their sum over the minutes is the count. Of the minutes' p95, which
        cannot be averaged, the median minute speaks for the window."""
        read = (self._region, self._endpoint_id)
        requests: dict[str, float] = {}
        errors: dict[str, float] = {}
        for one in self._metrics.averages(
            *read, "RequestsPerMinute", since, until, split_by=("deployment", "statusCode")
        ):
            name, status = one.dimensions.get("deployment", ""), one.dimensions.get("statuscode", "")
            requests[name] = requests.get(name, 0.0) + sum(one.points)
            if status in FAILED or status.startswith("5"):
                errors[name] = errors.get(name, 0.0) + sum(one.points)
        slow = {
            one.dimensions.get("deployment", ""): statistics.median(one.points)
            for one in self._metrics.averages(*read, "RequestLatency_P95", since, until, split_by=("deployment",))
            if one.points
        }
        return {
            name: Arm(round(count), round(errors.get(name, 0.0)), slow.get(name)) for name, count in requests.items()
        }

    def _pairs(self, live: str, candidate: str, window: tuple[datetime, datetime], tolerance: float) -> tuple[int, int]:
        for query in ("pairs_by_request.kql", "pairs_by_input.kql"):
            rows = self._run(query, *window, live=live, candidate=candidate, tolerance=tolerance)
            if rows and int(rows[0]["pairs"]):
                return int(rows[0]["pairs"]), int(rows[0]["agreed"])
        return 0, 0

    def _run(self, query: str, since: datetime, until: datetime, **values: str | float) -> list[dict[str, Any]]:
        self._between()
        kept = render(QUERIES / query, resource=self._endpoint_id, **values)
        self._asked[query] = Query(query, self._endpoint_id, kept)
        kql = render(QUERIES / query, resource=self._endpoint_id, since=since, until=until, **values)
        return self._logs.query(self._workspace_id, kql, since, until, timeout=QUERY_SECONDS)


def _number(value: Any) -> float | None:
    """A latency, or None for a missing one; a NaN arrives as the text "NaN"."""
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None
