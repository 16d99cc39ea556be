"""What a check says of endpoints that are too large to build here: plain bodies as Azure answers them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cloud.access import Caller
from cloud.endpoints import Deployment, Endpoint
from cloud.locations import Usage
from cloud.settings import Settings
from policy.load import load
from rollout.doctor.case import Case
from rollout.doctor.endpoint import room, there
from rollout.doctor.finding import Outcome
from rollout.names import deployment_name
from rollout.observation import VersionSeen
from rollout.place import place_of
from rollout.wiring import wired
from tests.rollout.world import POLICY_TEXT

NEWEST = VersionSeen("7", "/subscriptions/s/models/card/versions/7", datetime(2026, 1, 2, tzinfo=UTC))
MADE = deployment_name("card", "7", NEWEST.id, NEWEST.created)


def case(deployments: dict[str, str], state: str = "Succeeded", mode: str = "Key") -> Case:
    """An endpoint with these deployments, by name and model."""
    policy = load(POLICY_TEXT, "credit.yaml", rules=False)
    target = policy.targets[0]
    body = {"location": "westeurope", "properties": {"provisioningState": state, "authMode": mode, "traffic": {}}}
    known = {
        name: Deployment(name, {"name": name, "properties": {"provisioningState": "Succeeded", "model": model}})
        for name, model in deployments.items()
    }
    of = Settings(blob_url="https://a.blob.core.windows.net", queue_url="https://a.queue.core.windows.net")
    context = wired(of, None, clock=lambda: NEWEST.created, new_id=str, wait=lambda _: None)  # type: ignore[arg-type]
    place = place_of(policy, target, "credit")
    return Case(
        context, policy, target, place, Caller("o", "n", False), "card", Endpoint(place.endpoint_id, body), known
    )


@pytest.mark.parametrize(
    ("deployments", "outcome", "words"),
    [
        ({"blue": "m"}, Outcome.OK, f"1 of 20; version 7 is {MADE}"),
        ({f"d{n}": "m" for n in range(20)}, Outcome.FAIL, "20, and Azure's limit is 20"),
        ({MADE: NEWEST.id.upper()}, Outcome.OK, "which is there already"),
        ({MADE: "/subscriptions/s/models/other/versions/1"}, Outcome.FAIL, f"the name {MADE} is taken"),
    ],
)
def test_another_deployment_needs_a_place_and_a_name_of_its_own(
    deployments: dict[str, str], outcome: Outcome, words: str
) -> None:
    (found,) = room(case(deployments), NEWEST)
    assert (found.outcome, words in found.seen) == (outcome, True)
    assert ("az ml online-deployment delete" in found.mend) == (outcome is Outcome.FAIL)


def test_without_a_version_only_the_number_of_deployments_is_told() -> None:
    (found,) = room(case({"blue": "m"}), None)
    assert found.seen == "1 of 20"


@pytest.mark.parametrize(("state", "mode"), [("Updating", "Key"), ("Succeeded", "Certificate")])
def test_an_endpoint_that_is_busy_or_called_in_an_unknown_way_is_doubted(state: str, mode: str) -> None:
    (found,) = there(case({}, state, mode))
    assert found.outcome is Outcome.WARN


def test_a_counter_without_a_limit_has_as_much_left_as_one_likes() -> None:
    assert (Usage("f", 3, None).left, Usage("f", 3, 10).left, Usage("f", 12, 10).left) == (None, 7, 0)
