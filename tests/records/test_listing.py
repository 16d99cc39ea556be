"""A listing tells of records what an alert is routed by, whatever they leave empty."""

from __future__ import annotations

from rollout.phases import Phase
from rollout.store import Store
from tests.analysis_cloud import AnalysisCloud
from tests.rollout.world import NEW, standing


def test_a_first_version_has_no_live_deployment_and_is_listed_like_any_other(cloud: AnalysisCloud) -> None:
    """A bug of 2026-11: a listing gave the empty name as None, and every alert that named a deployment met a 503."""
    store = Store(cloud.blobs)
    store.save(standing(Phase.CANARY, live=None, endpoint="first-of-all", next_look=None), None)

    [listed] = [one for one in store.listings() if one.endpoint == "first-of-all"]
    assert (listed.live, listed.candidate, listed.next_look) == ("", NEW, None)
