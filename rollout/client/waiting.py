"""What a rollout waits for somebody to do, with the command that does it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollout.foreign import FOREIGN_HOLD
from rollout.phases import TERMINAL, Flag, Phase


def waits(rollout: Mapping[str, Any]) -> list[str]:
    """One sentence for each thing that somebody has to do, or that has to end, before it goes on."""
    if rollout["phase"] in TERMINAL or rollout["phase"] == Phase.ROLLING_BACK:
        return []
    flags = rollout["flags"]
    found = []
    if rollout["phase"] == Phase.AWAITING_APPROVAL:
        found.append(f"a person who approves or rejects: {_command('approve', rollout)}")
    if Flag.PAUSED in flags:
        found.append(f"a person who ends the pause: {_command('resume', rollout)}")
    holds = set(rollout.get("holds", ()))
    if Flag.HELD in flags and holds:
        ends = "a person who gives the split back" if holds == {FOREIGN_HOLD} else "its alert to resolve, or a person"
        found.append(f"{ends}: {_command('resume', rollout)}")
    elif Flag.HELD in flags:
        found.append(f"what `why` says to be mended, then: {_command('retry', rollout)}")
    if Flag.FROZEN in flags:
        found.append("the end of the freeze: python -m rollout freezes")
    if Flag.QUEUED_FOR_TARGET in flags:
        found.append("the target before it")
    return found


def _command(action: str, rollout: Mapping[str, Any]) -> str:
    return f"python -m rollout {action} {rollout['policy']} {rollout['target']} {rollout['endpoint']} --reason ..."
