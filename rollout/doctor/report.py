"""The report of the doctor: a table that lines up, or JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rollout.doctor.finding import Check, Outcome

Report = Mapping[str, Sequence[Check]]
"""Checks by what they are about: an endpoint of a target, or the app itself."""


def table(report: Report) -> str:
    """One line a check, and below each that is not ok the command that mends it."""
    names = [check.name for checks in report.values() for check in checks]
    width = max(map(len, names), default=0)
    lines: list[str] = []
    for subject, checks in report.items():
        lines += ["", subject] if lines else [subject]
        for check in checks:
            lines.append(f"  {check.outcome:<4}  {check.name:<{width}}  {' '.join(check.seen.split())}")
            if check.mend and check.outcome is not Outcome.OK:
                lines.append(f"  {'':<4}  {'':<{width}}  -> {check.mend}")
    return "\n".join([*lines, "", summary(report)])


def summary(report: Report) -> str:
    """How many there are of each outcome, and what follows."""
    every = [check for checks in report.values() for check in checks]
    counts = ", ".join(f"{sum(check.outcome is one for check in every)} {one.value}" for one in Outcome)
    return f"{counts}: {'a rollout would not start' if stops(report) else 'a rollout can start'}"


def to_json(policy: str, caller: str, report: Report) -> str:
    """The same for machines."""
    body: dict[str, Any] = {
        "policy": policy,
        "as": caller,
        "ok": not stops(report),
        "checks": [
            {
                "subject": subject,
                "name": check.name,
                "outcome": check.outcome.value,
                "required": check.required,
                "seen": check.seen,
                "mend": check.mend,
            }
            for subject, checks in report.items()
            for check in checks
        ],
    }
    return json.dumps(body, indent=2, ensure_ascii=False)


def stops(report: Report) -> bool:
    """Whether a required check fails."""
    return any(check.stops for checks in report.values() for check in checks)
