"""Where drift keeps its files: container `drift`, POLICY/TARGET/ENDPOINT/ baseline.parquet, results/ and reports/."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cloud.blobs import Blobs
from cloud.errors import Conflict

DATA, STATE = "drift", "state"


@dataclass(frozen=True)
class Place:
    """One endpoint of one target of one policy, by name."""

    policy: str
    target: str
    endpoint: str

    @property
    def path(self) -> str:
        """As it stands in blob names."""
        return f"{self.policy}/{self.target}/{self.endpoint}"


def baseline_name(place: Place) -> str:
    """The copy of the baseline that is compared with."""
    return f"{place.path}/baseline.parquet"


def result_name(place: Place, until: datetime) -> str:
    """The result of the window that ends at `until`."""
    return f"{place.path}/results/{compact(until)}.json"


def report_name(place: Place, until: datetime) -> str:
    """Evidently's page for the same window."""
    return f"{place.path}/reports/{compact(until)}.html"


def has_result(blobs: Blobs, place: Place, until: datetime) -> bool:
    """Whether the window was measured."""
    return blobs.read(DATA, result_name(place, until)) is not None


def save_result(blobs: Blobs, place: Place, until: datetime, result: dict[str, Any]) -> None:
    """Write the result, once; one that is there stays."""
    data = json.dumps(result, indent=1, allow_nan=False).encode()
    try:
        blobs.write(DATA, result_name(place, until), data, absent=True, content_type="application/json")
    except Conflict:
        return


def compact(moment: datetime) -> str:
    """A time in a blob name: `20261121T040500Z`."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def stamp(moment: datetime) -> str:
    """A time in JSON: RFC 3339 in UTC with `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def latest_result(blobs: Blobs, place: Place) -> dict[str, Any] | None:
    """The newest result of an endpoint, or None while there is none."""
    names = [blob.name for blob in blobs.list(DATA, f"{place.path}/results/")]
    stored = blobs.read(DATA, max(names)) if names else None
    if stored is None:
        return None
    result: dict[str, Any] = json.loads(stored.data)
    return result
