"""What a check came to, and how one that cannot even be made is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from cloud.errors import CloudError


class Outcome(StrEnum):
    """ok: as it should be. warn: a rollout would do without, or it could not be told. fail: it would not go well."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Check:
    """One check: what was looked at, what was seen, and the command that mends it."""

    name: str
    outcome: Outcome
    seen: str
    mend: str = ""
    required: bool = True
    """Whether no rollout starts while it fails."""

    @property
    def stops(self) -> bool:
        """Whether no rollout starts because of it."""
        return self.required and self.outcome is Outcome.FAIL

    @property
    def told(self) -> str:
        """In one line, for a rollout's reasons."""
        return f"{self.name}: {self.seen}" + (f"; mend it with: {self.mend}" if self.mend else "")


def good(name: str, seen: str) -> Check:
    """All is well."""
    return Check(name, Outcome.OK, seen)


def doubtful(name: str, seen: str, mend: str = "") -> Check:
    """A rollout would do without, or nobody can tell."""
    return Check(name, Outcome.WARN, seen, mend, required=False)


def bad(name: str, seen: str, mend: str = "") -> Check:
    """No rollout would go well."""
    return Check(name, Outcome.FAIL, seen, mend)


def made(name: str, check: Callable[[], Iterable[Check]], mend: str = "", *, needed: bool = True) -> tuple[Check, ...]:
    """The checks that `check` answers; where Azure does not answer it, one that says so."""
    try:
        return tuple(check())
    except CloudError as error:
        return (bad(name, str(error), mend) if needed else doubtful(name, str(error), mend),)
