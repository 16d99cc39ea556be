"""Whom alerts may act for, and what a write of the split looks at right before it is sent."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from azure.core.credentials import AccessToken

from cloud.arm import Arm
from cloud.endpoints import Endpoint, Endpoints
from rollout.act import Outcome, act
from rollout.context import Context
from rollout.decision import SetTraffic
from rollout.observation import Observation
from rollout.observe import Seen
from rollout.phases import Phase
from rollout.policies import Policies
from rollout.reconcile import acting
from rollout.store import Store
from tests.analysis_cloud import AnalysisCloud
from tests.cloud.wire import Reply, Wire, serving
from tests.records.conftest import Clock
from tests.rollout.world import CANARY, OLD, PLACE, POLICY, standing


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


class Token:
    """The wire asks for none."""

    def get_token(self, *_: str, **__: object) -> AccessToken:
        return AccessToken("token", 1 << 40)


def written(wire: Wire, store: Store, *, urgent: bool) -> Outcome:
    """What comes of a split that was decided on while the endpoint was at rest."""
    body = {"name": "credit", "properties": {"provisioningState": "Succeeded", "traffic": {OLD: 100}}}
    endpoints = Endpoints(Arm(wire.url, "https://localhost", Token()), Token())
    context = cast(Context, SimpleNamespace(at=lambda _: endpoints, store=store))
    seen = Seen(Observation(None), Endpoint(PLACE.endpoint_id, body))
    actions = (SetTraffic(*CANARY, urgent),)
    return act(context, PLACE, POLICY, standing(Phase.CANARY), seen, actions, renew=lambda: None)


def test_a_split_is_not_sent_into_an_operation_that_began_after_the_look_but_the_way_back_is(
    cloud: AnalysisCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust: dict[str, str] = {}
    with serving(tmp_path, trust) as wire:
        both = tmp_path / "both.pem"
        both.write_text("".join(Path(one).read_text() for one in (os.environ["REQUESTS_CA_BUNDLE"], *trust.values())))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(both))
        busy = {"name": "credit", "properties": {"provisioningState": "Updating", "traffic": {OLD: 100}}}
        wire.reply = Reply(200, json.dumps(busy).encode(), {"Content-Type": "application/json"})
        store = Store(cloud.blobs)

        forward, back = written(wire, store, urgent=False), written(wire, store, urgent=True)

    assert forward.trouble == ("endpoint credit is Updating: another operation began",)
    assert forward.retry_after
    assert "PUT" in back.trouble[0], "it was sent; this server takes no PUT"
