"""A freeze whose end lies at the end of the calendar freezes; it never breaks the looks that read it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from rollout.freezes import Freezes
from rollout.frozen import NEVER
from rollout.place import Place
from tests.analysis_cloud import AnalysisCloud
from tests.records.conftest import Clock

PLACE = Place("credit", "production", "credit", "")


@pytest.mark.parametrize("until", ["9999-12-31T00:00:00Z", "9999-12-31T23:59:59-05:00"])
def test_a_freeze_until_the_last_day_of_the_calendar_is_one_that_holds(
    cloud: AnalysisCloud, clock: Clock, until: str
) -> None:
    body = {"scope": "credit", "owner": "ann", "reason": "for ever", "until": until}
    cloud.blobs.write("state", "freezes/last-day.json", json.dumps(body).encode())
    try:
        (found,) = Freezes(cloud.blobs, clock, timedelta()).at(PLACE)
    finally:
        cloud.blobs.delete("state", "freezes/last-day.json")
    assert found.until >= NEVER
