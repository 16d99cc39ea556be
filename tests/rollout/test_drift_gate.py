"""How much of the traffic drifted, by the newest measurement; one that is old, or none at all, is no safety."""

from __future__ import annotations

from datetime import timedelta

import pytest

from policy.gates import DriftGate, Gates
from policy.model import Drift, Export
from rollout.drift_gate import DriftSeen, drift_finding, oldest
from rollout.verdict import Outcome
from tests.rollout.world import NOW, POLICY

GATED = POLICY.model_copy(update={"gates": Gates(drift=DriftGate(max_share=0.3)), "drift": Drift(), "export": Export()})
A_MINUTE = timedelta(minutes=1)
OLDEST = timedelta(hours=2, minutes=50)
"""Two hours for a measurement each hour, of which one may be missed; 15 m + 2 x 10 m of the export; the timers."""


def measured(share: float, ago: timedelta = A_MINUTE) -> DriftSeen:
    """A measurement of twenty features over the data until so long ago."""
    return DriftSeen(NOW - ago, share, round(share * 20), 20, 5000)


@pytest.mark.parametrize(
    ("seen", "outcome", "says"),
    [
        (measured(0.0), Outcome.SAFE, "0 of 20 features (0%) drifted in the 5000 requests of the 1d until 2026-05-04"),
        (measured(0.3), Outcome.SAFE, "6 of 20 features (30%) drifted"),
        (measured(0.35), Outcome.UNKNOWN, "7 of 20 features (35%) drifted"),
        (measured(1.0), Outcome.UNKNOWN, "a person may advance the step"),
        (measured(0.0, OLDEST), Outcome.SAFE, "safe up to 30%"),
        (measured(0.0, OLDEST + A_MINUTE), Outcome.UNKNOWN, "though it is measured every 1h: look at the analysis app"),
        (None, Outcome.UNKNOWN, "was not read in this look"),
        (DriftSeen(), Outcome.UNKNOWN, "nothing was measured of this endpoint yet"),
        (DriftSeen(problem="the newest result is no JSON"), Outcome.UNKNOWN, "the newest result is no JSON"),
        (
            DriftSeen(NOW - A_MINUTE, rows=12, problem="not enough data: 12 rows against 9000"),
            Outcome.UNKNOWN,
            "the data until 2026-05-04 11:59 UTC were not measured: not enough data: 12 rows",
        ),
    ],
)
def test_the_share_is_safe_up_to_the_policys_and_never_harm(
    seen: DriftSeen | None, outcome: Outcome, says: str
) -> None:
    found = drift_finding(GATED, seen, NOW)

    assert found is not None
    assert (found.outcome, found.safe, found.harm) == (outcome, 0.3, None)
    assert says in found.text


def test_a_measurement_is_old_when_more_than_one_was_missed() -> None:
    assert oldest(Drift(), Export()) == OLDEST


def test_without_a_gate_nothing_is_said() -> None:
    assert drift_finding(POLICY, measured(1.0), NOW) is None
