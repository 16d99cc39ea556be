"""Whom alerts may act for: a record whose policy is no longer understood does not close the door for the others."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from rollout.context import Context
from rollout.phases import Phase
from rollout.policies import Policies
from rollout.reconcile import acting
from rollout.store import Store
from tests.analysis_cloud import AnalysisCloud
from tests.records.conftest import Clock
from tests.rollout.world import standing


def test_a_rollout_in_flight_whose_policy_cannot_be_understood_is_left_out(cloud: AnalysisCloud, clock: Clock) -> None:
    store = Store(cloud.blobs)
    for policy, text in (("orphan", ""), ("broken", "name: broken\nno_such_key: 1\n")):
        record = standing(Phase.CANARY, policy=policy)
        changed = {"policy_text": text or record.policy_text.replace("name: credit", "name: orphan")}
        store.save(standing(Phase.CANARY, policy=policy, **changed), None)
    context = cast(Context, SimpleNamespace(policies=Policies(cloud.blobs, clock), store=store))
    try:
        found = acting(context)
    finally:
        for policy in ("orphan", "broken"):
            cloud.blobs.delete("rollouts", f"{policy}/production/credit.json")

    assert "orphan" in [policy.name for policy, _ in found]
    assert "broken" not in [policy.name for policy, _ in found]
