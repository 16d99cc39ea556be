"""Queries of every day, with the operators that the stand-in adds to duckdb-kql, and their rows here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from localcloud.seams import Tables
from tests.localcloud.monitor_cloud import traffic

TRAFFIC = "AmlOnlineEndpointTrafficLog"
_ITEMS = "AppTraces | where Message has 'items'"
_LONGS = f"{TRAFFIC} | project ms = tolong(TotalDurationMs)"
_BY_TIME = f"{TRAFFIC} | sort by TimeGenerated asc"
_BY_DEPLOYMENT = f"{TRAFFIC} | sort by DeploymentName asc, TimeGenerated asc"

QUERIES: Mapping[str, tuple[str, list[list[Any]]]] = {
    "rows are numbered": (
        f"{_BY_TIME} | serialize n = row_number() | project n, TotalDurationMs",
        [[1, 10], [2, 20], [3, 30], [4, 40]],
    ),
    "numbers start again with each deployment": (
        f"{_BY_DEPLOYMENT} | extend n = row_number(0, prev(DeploymentName) != DeploymentName) "
        "| project DeploymentName, n",
        [["blue", 0], ["blue", 1], ["blue", 2], ["green", 0]],
    ),
    "the row before, with what stands for it before the first": (
        f"{_BY_TIME} | project a = prev(TotalDurationMs), b = prev(TotalDurationMs, 2, -1), c = prev(Path)",
        [[None, -1, ""], [10, -1, "/score"], [20, 10, "/score"], [30, 20, "/score"]],
    ),
    "the time to the next request": (
        f"{_BY_TIME} | extend pause = next(TimeGenerated) - TimeGenerated | project pause",
        [["00:01:00"], ["00:01:00"], ["00:02:00"], [None]],
    ),
    "a running sum": (
        f"{_BY_DEPLOYMENT} | extend sum = row_cumsum(TotalDurationMs, prev(DeploymentName) != DeploymentName) "
        "| project DeploymentName, sum",
        [["blue", 10], ["blue", 40], ["blue", 80], ["green", 20]],
    ),
    "the rank of a value among its predecessors": (
        f"{_BY_DEPLOYMENT} | extend rank = row_rank_dense(DeploymentName) | project rank",
        [[1], [1], [1], [2]],
    ),
    "rows chosen by their predecessor": (
        f"{_BY_TIME} | where prev(DeploymentName) == 'green' | project TotalDurationMs",
        [[30]],
    ),
    "an order that a let statement made": (
        f"let ordered = {_BY_TIME}; ordered | extend n = row_number() | where n > 2 | extend m = row_number() "
        "| project n, m",
        [[3, 1], [4, 2]],
    ),
    "a series per deployment": (
        f"{TRAFFIC} | make-series n = count(), avg(TotalDurationMs) default = -1 on TimeGenerated "
        "from datetime(2026-11-21T11:50:00) to datetime(2026-11-21T11:56:00) step 2m by DeploymentName",
        [
            [
                "blue",
                "[1,1,1]",
                "[10.0,30.0,40.0]",
                '["2026-11-21T11:50:00.0000000Z","2026-11-21T11:52:00.0000000Z","2026-11-21T11:54:00.0000000Z"]',
            ],
            [
                "green",
                "[1,0,0]",
                "[20.0,-1.0,-1.0]",
                '["2026-11-21T11:50:00.0000000Z","2026-11-21T11:52:00.0000000Z","2026-11-21T11:54:00.0000000Z"]',
            ],
        ],
    ),
    "a series over a number, up to and without its end": (
        f"{_LONGS} | make-series n = count() on ms from 10 to 40 step 20",
        [["[2,1]", "[10,30]"]],
    ),
    "no rows are no series": (
        f"{_LONGS} | where ms < 0 | make-series n = count() on ms from 10 to 40 step 10",
        [],
    ),
    "elements of an array, chosen": (
        f"{_ITEMS} | mv-apply item = parse_json(Message).items on (where tolong(item.v) > 1 "
        "| project name = tostring(item.n)) | project name",
        [["y"], ["z"]],
    ),
    "elements of an array, summed": (
        f"{_ITEMS} | mv-apply item = parse_json(Message).items on (summarize s = sum(tolong(item.v))) | project s",
        [[6]],
    ),
    "the greatest elements of an array": (
        "print a = dynamic([3, 1, 2]), k = 'q' | mv-apply a to typeof(long) on (top 2 by a desc)",
        [["q", 3], ["q", 2]],
    ),
    "columns kept by a wildcard stay in their order": (
        f"{TRAFFIC} | project-keep Response*Code, Deploy* | take 1",
        [["blue", 200]],
    ),
    "columns moved to the front": (
        f"{TRAFFIC} | project DeploymentName, Path, TotalDurationMs | project-reorder Total*, Path | take 1",
        [[10, "/score", "blue"]],
    ),
    "a number out of a text": ("print n = extract('([0-9]+)', 1, 'took 12 ms', typeof(long))", [[12]]),
    "seconds since 1970": ("print t = unixtime_seconds_todatetime(60)", [["1970-01-01T00:01:00.0000000Z"]]),
}


def fill(tables: Tables, now: datetime) -> None:
    """Four requests in the ten minutes before `now`, and one trace with an array."""
    for minutes, deployment, milliseconds in ((10, "blue", 10), (9, "green", 20), (8, "blue", 30), (6, "blue", 40)):
        when = now - timedelta(minutes=minutes)
        row = traffic(deployment, milliseconds=milliseconds, TimeGenerated=when, Path="/score")
        tables.append(TRAFFIC, [row])
    items = [{"n": "x", "v": 1}, {"n": "y", "v": 2}, {"n": "z", "v": 3}]
    tables.append("AppTraces", [{"Message": json.dumps({"items": items})}])
