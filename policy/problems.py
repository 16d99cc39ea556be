"""What is wrong with a policy file, and where: the one error that loading raises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One thing to mend. Lines and columns count from 1, as editors do."""

    source: str
    line: int
    column: int
    field: str
    """Path such as `steps[2].canary.traffic_percent`; empty for the file as a whole."""
    message: str

    def __str__(self) -> str:
        field = f"{self.field}: " if self.field else ""
        return f"{self.source}:{self.line}:{self.column}: {field}{self.message}"


class PolicyError(Exception):
    """The file is not a policy; `problems` holds everything that could be told, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))
