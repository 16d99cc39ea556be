"""Evidence from Log Analytics: counts by deployment, and mirrored requests answered by both.

Read afresh from the step's beginning at every look, so that late rows are counted, nothing is counted twice, and a
crash loses nothing. Log Analytics does the counting; a few numbers cross the wire.

Whether Azure writes mirrored requests to the traffic log is not documented. Where it does not, the shadow's log is
empty and both arms are read from the endpoint's metrics instead, which are recorded for it; the evidence says so.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from cloud.errors import CloudError
from cloud.kql import Value, behind, render
from cloud.logs import Logs
from cloud.metrics import Metrics
from policy.gates import LatencyRatio, QueryGate
from rollout.record import Query
from rollout.sequential import burst_factor
from rollout.verdict import Arm, Counted, Evidence

QUERIES = Path(__file__).parent / "queries"


QUERY_SECONDS = 20.0
"""Longest time for one query: less than what is left of a lease that was just renewed."""
FAILED = frozenset({"408", "424", "429"})
"""Statuses that count as errors beside 5xx: time-out, the model's own failure, too busy."""


SHORTEST_BLOCK = timedelta(seconds=1)
MOST_BLOCKS = 60
"""Into how many spans of time a window is cut, to see how much slow requests come in bursts."""


class Lines(NamedTuple):
    """What requests are counted beyond: ratios to the live deployment's p95, and a rise of `floor_ms` at least."""

    harm: float
    safe: float
    floor_ms: float

    @classmethod
    def of(cls, gate: LatencyRatio | None) -> Lines:
        """The gate's; where latency is not judged, the p95 itself."""
        return cls(gate.harm, gate.safe, gate.floor.total_seconds() * 1000) if gate is not None else cls(1.0, 1.0, 0.0)

    def beyond(self, ms: float, base_ms: float) -> tuple[bool, bool]:
        """Whether a latency is beyond what harms, and beyond what is safe."""
        risen = ms > base_ms + self.floor_ms
        return risen and ms > base_ms * self.harm, risen and ms > base_ms * self.safe


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
        lines: Lines,
        own: Sequence[QueryGate] = (),
    ) -> Evidence:
        """Both arms, and the pairs unless `tolerance` is None. The live arm may have a window of its own.

        After full promotion the live deployment gets no requests any more: its requests before that are what the
        candidate is compared with.
        """
        base = self._arms(live_window, live, lines)
        arms = base
        if live_window != window:
            arms = self._arms(window, live, lines, base_ms=base.get(live or "", Arm()).p95_ms or 0.0)
        pairs, agreed, source = 0, 0, "log_analytics"
        if live is not None and tolerance is not None:
            pairs, agreed = self._pairs(live, candidate, window, tolerance)
            if pairs and candidate not in arms:
                base = arms = self._arms_from_metrics(window, live, lines)
                source = "metrics"
        return Evidence(
            since=window[0],
            until=window[1],
            live=base.get(live or "", Arm()),
            candidate=arms.get(candidate, Arm()),
            pairs=pairs,
            agreed=agreed,
            source=source,
            counted=tuple(self._counted(gate, live or "", candidate, live_window, window) for gate in own),
            queries=tuple(self._asked.values()),
        )

    def _arms(
        self, window: tuple[datetime, datetime], live: str | None, lines: Lines, *, base_ms: float = 0.0
    ) -> dict[str, Arm]:
        """Each deployment's requests; latencies are held against `base_ms`, or the window's own p95 of live."""
        rows = self._run("requests.kql", *window, request_values(window, live, lines, base_ms))
        return {str(row["DeploymentName"]): _arm(row) for row in rows}

    def _arms_from_metrics(self, window: tuple[datetime, datetime], live: str, lines: Lines) -> dict[str, Arm]:
        """RequestsPerMinute has averages only: their sum over the minutes is the count. Of the minutes' p95, which
        cannot be averaged, the median minute speaks for the window, and each minute is held against live's own."""
        read, requests, errors = (self._region, self._endpoint_id), dict[str, float](), dict[str, float]()
        split = ("deployment", "statusCode")
        for one in self._metrics.averages(*read, "RequestsPerMinute", *window, split_by=split):
            name, status = one.dimensions.get("deployment", ""), one.dimensions.get("statuscode", "")
            count = sum(one.points.values())
            requests[name] = requests.get(name, 0.0) + count
            if status in FAILED or status.startswith("5"):
                errors[name] = errors.get(name, 0.0) + count
        p95 = {
            one.dimensions.get("deployment", ""): one.points
            for one in self._metrics.averages(*read, "RequestLatency_P95", *window, split_by=("deployment",))
            if one.points
        }
        times = {name: _minutes(p95.get(name, {}), p95.get(live, {}), lines) for name in requests}
        return {n: Arm(round(count), round(errors.get(n, 0.0)), **times[n]) for n, count in requests.items()}

    def _counted(
        self,
        gate: QueryGate,
        live: str,
        candidate: str,
        live_window: tuple[datetime, datetime],
        window: tuple[datetime, datetime],
    ) -> Counted:
        """What a query of the policy's own counts. One that fails tells nothing, and hides none of the others."""
        try:
            rows = self._own(gate, live, candidate, window)
            base = rows if live_window == window else self._own(gate, live, candidate, live_window)
            return Counted(gate.name, counts(base, live), counts(rows, candidate))
        except CloudError as error:
            return Counted(gate.name, problem=f"the query could not be run: {error}")
        except ValueError as error:
            return Counted(gate.name, problem=str(error))

    def _own(
        self, gate: QueryGate, live: str, candidate: str, window: tuple[datetime, datetime]
    ) -> list[dict[str, Any]]:
        self._between()
        values: dict[str, Value] = {"resource": self._endpoint_id, "live": live, "candidate": candidate}
        name = f"gates.queries {gate.name}"
        self._asked[name] = Query(name, self._endpoint_id, behind(gate.query, **values))
        kql = behind(gate.query, since=window[0], until=window[1], **values)
        return self._logs.query(self._workspace_id, kql, *window, timeout=QUERY_SECONDS)

    def _pairs(self, live: str, candidate: str, window: tuple[datetime, datetime], tolerance: float) -> tuple[int, int]:
        for query in ("pairs_by_request.kql", "pairs_by_input.kql"):
            values: dict[str, Value] = {"live": live, "candidate": candidate, "tolerance": tolerance}
            rows = self._run(query, *window, values)
            if rows and int(rows[0]["pairs"]):
                return int(rows[0]["pairs"]), int(rows[0]["agreed"])
        return 0, 0

    def _run(self, query: str, since: datetime, until: datetime, values: dict[str, Value]) -> list[dict[str, Any]]:
        self._between()
        kept = render(QUERIES / query, resource=self._endpoint_id, **values)
        self._asked[query] = Query(query, self._endpoint_id, kept)
        kql = render(QUERIES / query, resource=self._endpoint_id, since=since, until=until, **values)
        return self._logs.query(self._workspace_id, kql, since, until, timeout=QUERY_SECONDS)


def counts(rows: list[dict[str, Any]], deployment: str) -> tuple[int, int]:
    """(counted, requests) of a deployment in the rows of a policy's own query; ValueError says what they lack."""
    for row in rows:
        missing = [name for name in ("DeploymentName", "requests", "counted") if name not in row]
        if missing:
            raise ValueError(f"the query returns no column {', '.join(missing)}: it needs one row for each deployment")
        if row["DeploymentName"] != deployment:
            continue
        n, k = row["requests"], row["counted"]
        if not (_whole(n) and _whole(k) and 0 <= k <= n):
            raise ValueError(f"the query counts {k!r} of {n!r} requests: whole numbers are needed, counted the smaller")
        return int(k), int(n)
    return 0, 0


def _whole(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value == int(value)


def request_values(
    window: tuple[datetime, datetime], live: str | None, lines: Lines, base_ms: float = 0.0
) -> dict[str, Value]:
    """The values of `requests.kql` beside the resource and the window."""
    return {
        "live": live or "",
        "base_ms": base_ms,
        "harm_ratio": lines.harm,
        "safe_ratio": lines.safe,
        "floor_ms": lines.floor_ms,
        "block": max((window[1] - window[0]) / MOST_BLOCKS, SHORTEST_BLOCK),
    }


def _arm(row: dict[str, Any]) -> Arm:
    """One row of `requests.kql`."""
    n, k, *sums = (int(row[name]) for name in ("requests", "slow", "blocks", "nn", "nk", "kk"))
    return Arm(
        n,
        int(row["errors"]),
        _number(row["p95_ms"]),
        int(row["load"]),
        timed=n,
        slow=k,
        harmful=int(row["harmful"]),
        unsafe=int(row["unsafe"]),
        burst=round(burst_factor(n, k, *sums), 2),
    )


def _minutes(points: Mapping[datetime, float], live: Mapping[datetime, float], lines: Lines) -> dict[str, Any]:
    """What the minutes' p95 tell of a deployment beside those of the live one, as fields of its `Arm`."""
    beyond = [lines.beyond(points[at], live[at]) for at in points if live.get(at)]
    return {
        "p95_ms": statistics.median(points.values()) if points else None,
        "timed": len(beyond),
        "harmful": sum(harmful for harmful, _ in beyond),
        "unsafe": sum(unsafe for _, unsafe in beyond),
    }


def _number(value: Any) -> float | None:
    """A latency, or None for a missing one; a NaN arrives as the text "NaN"."""
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None
