"""What a candidate would cost with all of the traffic, beside what live costs: never harm, and never guessed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policy.gates import CostGate, Gates
from policy.model import DeploymentSettings
from rollout.cost_gate import cost_finding
from rollout.machines import Machines
from rollout.phases import Phase
from rollout.verdict import Outcome
from tests.rollout.world import POLICY, standing

SAME = Machines("Standard_F2s_v2", "standard_f2s_V2")
DEARER = Machines("Standard_F2s_v2", "Standard_F4s_v2", 0.1, 0.2)
CHEAPER = Machines("Standard_F4s_v2", "Standard_F2s_v2", 0.2, 0.1)
UNREAD = Machines("Standard_F2s_v2", "Standard_F4s_v2", problem="https://prices.azure.com does not answer")
UNTOLD = Machines("Standard_F2s_v2", "Standard_F4s_v2", 0.1)
GATED = POLICY.model_copy(update={"gates": Gates(cost=CostGate(max_ratio=1.5))})
SAFE, UNKNOWN = Outcome.SAFE, Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("machines", "live", "said", "outcome", "ratio"),
    [
        (SAME, 4, None, SAFE, 1.0),  # a copy of live
        (SAME, 4, 6, SAFE, 1.5),  # up to the line
        (SAME, 4, 7, UNKNOWN, 1.75),
        (SAME, 4, 1, SAFE, 0.25),
        (DEARER, 4, None, UNKNOWN, 2.0),
        (DEARER, 4, 3, SAFE, 1.5),  # fewer of the dearer ones
        (CHEAPER, 2, 6, SAFE, 1.5),
        (CHEAPER, 2, 8, UNKNOWN, 2.0),
        (UNREAD, 4, 1, UNKNOWN, None),
        (UNTOLD, 4, 1, UNKNOWN, None),
        (None, 4, 4, UNKNOWN, None),
    ],
)
def test_instances_times_price_are_compared_up_to_the_policys_ratio(
    machines: Machines | None, live: int, said: int | None, outcome: Outcome, ratio: float | None
) -> None:
    policy = GATED.model_copy(update={"deployment": DeploymentSettings(instance_count=said)})
    found = cost_finding(policy, standing(Phase.SHADOW, size=live), machines)

    assert found is not None
    assert (found.outcome, found.value, found.safe, found.harm) == (outcome, ratio, 1.5, None)


def test_the_text_has_the_machines_and_what_they_cost_where_that_matters() -> None:
    policy = GATED.model_copy(update={"deployment": DeploymentSettings(instance_count=4)})
    record = standing(Phase.SHADOW, size=2)

    dearer, same, unread = (cost_finding(policy, record, one) for one in (DEARER, SAME, UNREAD))

    assert dearer is not None
    assert dearer.text == (
        "with all of the traffic 4 x Standard_F4s_v2 at 0.2 an hour, live 2 x Standard_F2s_v2 at 0.1 an hour (x 4.00);"
        " safe up to x 1.50"
    )
    assert same is not None
    assert "an hour" not in same.text
    assert unread is not None
    assert unread.text == "https://prices.azure.com does not answer"


def test_where_autoscale_moves_the_number_only_the_machines_are_compared() -> None:
    """Its settings are carried to the candidate, and at night live may have one instance of its many."""
    policy = GATED.model_copy(update={"deployment": DeploymentSettings(instance_count=8)})
    record = standing(Phase.SHADOW, size=1, autoscaled=True)

    found = cost_finding(policy, record, SAME)
    assert found is not None
    assert (found.outcome, found.value) == (SAFE, 1.0)

    dearer = cost_finding(policy, record, DEARER)
    assert dearer is not None
    assert (dearer.outcome, dearer.value) == (UNKNOWN, 2.0)


def test_where_there_is_nothing_to_compare_with_nothing_is_asked() -> None:
    record = standing(Phase.SHADOW, size=4)

    assert cost_finding(POLICY, record, SAME) is None
    assert cost_finding(GATED, replace(record, live=None), None) is None
    assert cost_finding(GATED, replace(record, kind="rollback"), None) is None
    assert cost_finding(GATED, replace(record, batch=True), None) is None
