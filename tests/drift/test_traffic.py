"""Each request is measured once, whichever deployments logged it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow
from hypothesis import given
from hypothesis import strategies as st

from drift.traffic import each_request_once
from export.parquet import table

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def logged(*requests: tuple[str, str], rows: int = 1) -> pyarrow.Table:
    """Rows of requests, each given as its deployment and its id."""
    own: dict[str, Any] = {"time": NOON, "service": "s", "prediction": 0.5}
    return table([{**own, "deployment": d, "request_id": r, "row": n} for d, r in requests for n in range(rows)])


def kept(found: pyarrow.Table) -> list[tuple[str, str, int]]:
    return [(row["deployment"], row["request_id"], row["row"]) for row in found.to_pylist()]


def test_of_a_mirrored_request_the_live_copy_stays_with_all_its_rows() -> None:
    found = each_request_once(logged(("a-shadow", "r1"), ("live", "r1"), ("live", "r2"), rows=2))
    assert kept(found) == [("live", "r1", 0), ("live", "r1", 1), ("live", "r2", 0), ("live", "r2", 1)]


def test_a_canarys_own_requests_stay_beside_the_live_ones() -> None:
    requests = [("live", "r1"), ("live", "r2"), ("canary", "r3")]
    assert len(each_request_once(logged(*requests))) == 3


def test_a_request_that_three_deployments_logged_stays_once() -> None:
    assert kept(each_request_once(logged(("b", "r1"), ("a", "r1"), ("c", "r1"), ("c", "r2")))) == [
        ("c", "r1", 0),
        ("c", "r2", 0),
    ]


def test_nothing_stays_nothing() -> None:
    assert len(each_request_once(logged())) == 0


@given(st.sets(st.tuples(st.sampled_from("abc"), st.sampled_from("123456")), max_size=18), st.randoms())
def test_every_request_stays_exactly_once_whatever_the_order(requests: set[tuple[str, str]], chance: Any) -> None:
    order = sorted(requests)
    chance.shuffle(order)
    found = kept(each_request_once(logged(*order)))
    assert sorted(request for _, request, _ in found) == sorted({request for _, request in requests})
    assert {(deployment, request) for deployment, request, _ in found} <= requests
    assert sorted(found) == sorted(kept(each_request_once(logged(*sorted(requests)))))
