"""Where drift keeps its files: container `drift`, POLICY/TARGET/ENDPOINT/ baseline.parquet, results/ and reports/.

The newest result is kept once more as latest.json: a page reads one blob per endpoint, however many results there are.
"""

from __future__ import annotations

import json
from contextlib import suppress
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
    """Write the result, once; one that is there stays. Last, since it is what says that the window is done."""
    data = json.dumps(result, indent=1, allow_nan=False).encode()
    _keep_latest(blobs, place, until, data)
    try:
        blobs.write(DATA, result_name(place, until), data, absent=True, content_type="application/json")
    except Conflict:
        return


def latest_result(blobs: Blobs, place: Place) -> dict[str, Any] | None:
    """The newest result of an endpoint, or None while there is none."""
    stored = blobs.read(DATA, _latest_name(place))
    if stored is None:
        return None
    result: dict[str, Any] = json.loads(stored.data)
    return result


def _keep_latest(blobs: Blobs, place: Place, until: datetime, data: bytes) -> None:
    """Over the one before, never over a newer one; the next result repairs what a lost race left."""
    name = _latest_name(place)
    stored = blobs.read(DATA, name)
    if stored is not None and stored.metadata.get("until", "") >= compact(until):
        return
    etag, metadata = stored.etag if stored else None, {"until": compact(until)}
    with suppress(Conflict):
        blobs.write(
            DATA, name, data, etag=etag, absent=etag is None, metadata=metadata, content_type="application/json"
        )


def _latest_name(place: Place) -> str:
    return f"{place.path}/latest.json"


def compact(moment: datetime) -> str:
    """A time in a blob name: `20261121T040500Z`."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def stamp(moment: datetime) -> str:
    """A time in JSON: RFC 3339 in UTC with `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
