"""The words of a rollout: its phases and the flags beside them (docs/contracts: phases and flags)."""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """Where a rollout is. Terminal phases never change again."""

    DEPLOYING = "deploying"
    TESTING = "testing"
    SHADOW = "shadow"
    CANARY = "canary"
    AWAITING_APPROVAL = "awaiting_approval"
    WAITING = "waiting"
    CHECKING = "checking"
    FULL = "full"
    RETIRING = "retiring"
    DONE = "done"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    SUPERSEDED = "superseded"
    FAILED = "failed"


TERMINAL = frozenset({Phase.DONE, Phase.ROLLED_BACK, Phase.SUPERSEDED, Phase.FAILED})

JUDGED = frozenset(
    {
        Phase.SHADOW,
        Phase.CANARY,
        Phase.AWAITING_APPROVAL,
        Phase.WAITING,
        Phase.CHECKING,
        Phase.FULL,
        Phase.RETIRING,
    }
)
"""Phases in which the split stands still and harm is looked for in the requests."""

PHASE_OF_STEP = {
    "smoke": Phase.TESTING,
    "shadow": Phase.SHADOW,
    "canary": Phase.CANARY,
    "approval": Phase.AWAITING_APPROVAL,
    "wait": Phase.WAITING,
    "check": Phase.CHECKING,
    "full": Phase.FULL,
    "retire": Phase.RETIRING,
}


class Flag(StrEnum):
    """What keeps a phase from going on, beside the phase so that it is known where to go on."""

    PAUSED = "paused"
    HELD = "held"
    FROZEN = "frozen"
    QUEUED_FOR_TARGET = "queued_for_target"
    OBSERVE = "observe"
