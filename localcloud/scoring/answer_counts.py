"""What each deployment has answered since the cloud started, for the people who look at `GET /localcloud`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from localcloud.seams import Json

_KINDS = {False: "clients", True: "mirrored"}


class AnswerCounts:
    """Counts rows of the traffic log."""

    def __init__(self) -> None:
        self._statuses: dict[tuple[str, str, str], Counter[int]] = {}
        self._newest: dict[tuple[str, str, str], datetime] = {}

    def add(self, rows: Sequence[Json]) -> None:
        """Count these requests."""
        for row in rows:
            key = row["EndpointName"], row["DeploymentName"], _KINDS[bool(row["_mirrored"])]
            self._statuses.setdefault(key, Counter())[int(row["ResponseCode"])] += 1
            self._newest[key] = row["TimeGenerated"]

    def rows(self) -> list[Json]:
        """One per deployment and kind of request, the one that was busy last first."""
        keys = sorted(self._newest, key=lambda key: self._newest[key], reverse=True)
        return [
            {
                "endpoint": endpoint,
                "deployment": deployment or "none",
                "requests of": kind,
                "answers": sum(statuses.values()),
                "by status": {f"{status}:": count for status, count in sorted(statuses.items())},
                "newest": f"{self._newest[endpoint, deployment, kind]:%H:%M:%S}",
            }
            for endpoint, deployment, kind in keys
            for statuses in [self._statuses[endpoint, deployment, kind]]
        ]
