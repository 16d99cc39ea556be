"""The drift gate: has the traffic on which a version is judged become another one than its baseline's? Pure.

Drift of what clients send is nobody's fault in the candidate, so it is never harm: it keeps a version from going
forward. What was measured when, and against what: the drift wing (its newest result is read, nothing is computed here).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from policy.durations import written
from policy.model import Drift, Export, Policy
from rollout.verdict import Finding, Outcome

GATE = "drift"
TIMERS = timedelta(minutes=15)
"""What the timers and the measuring itself take."""


@dataclass(frozen=True)
class DriftSeen:
    """The newest measurement of the endpoint's drift, as far as it can be read."""

    until: datetime | None = None
    """The end of the data; None where nothing was measured yet."""
    share: float | None = None
    drifted: int = 0
    features: int = 0
    rows: int = 0
    problem: str = ""
    """Why there is no share."""


def drift_finding(policy: Policy, seen: DriftSeen | None, now: datetime) -> Finding | None:
    """Safe up to the policy's share, else unknown; None without a gate."""
    gate, drift, export = policy.gates.drift, policy.drift, policy.export
    if gate is None or drift is None or export is None:
        return None

    def found(outcome: Outcome, text: str, value: float | None = None, rows: int = 0) -> Finding:
        return Finding(GATE, outcome, text, value, safe=gate.max_share, n=rows)

    if seen is None:
        return found(Outcome.UNKNOWN, "the newest measurement was not read in this look")
    if seen.until is None:
        return found(Outcome.UNKNOWN, seen.problem or "nothing was measured of this endpoint yet")
    until, age = f"{seen.until:%Y-%m-%d %H:%M} UTC", now - seen.until
    if age > oldest(drift, export):
        late = f"though it is measured every {written(drift.every)}: look at the analysis app, or at `export`"
        return found(Outcome.UNKNOWN, f"the newest measurement is of data until {until}, {late}")
    if seen.share is None:
        return found(Outcome.UNKNOWN, f"the data until {until} were not measured: {seen.problem}", rows=seen.rows)
    text = (
        f"{seen.drifted} of {seen.features} features ({seen.share:.0%}) drifted in the {seen.rows} requests of the"
        f" {written(drift.window)} until {until}; safe up to {gate.max_share:.0%}"
    )
    if seen.share <= gate.max_share:
        return found(Outcome.SAFE, text, seen.share, seen.rows)
    text += ": what such traffic shows does not hold for the baseline's; a person may advance the step"
    return found(Outcome.UNKNOWN, text, seen.share, seen.rows)


def oldest(drift: Drift, export: Export) -> timedelta:
    """How old the newest measurement's data may be: one measurement may be missed, beside the export's own delay."""
    return 2 * drift.every + export.every + 2 * export.lag + TIMERS
