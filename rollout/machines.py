"""The machines of live and candidate, as the cost gate compares them. A plain value: the record keeps it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Machines:
    """Instance types, and their prices an hour where the two differ; of one type the price cancels out."""

    live: str
    candidate: str
    live_price: float | None = None
    candidate_price: float | None = None
    problem: str = ""
    """Why they cannot be compared now."""

    @property
    def same(self) -> bool:
        """Whether both are of one type; Azure writes it in one case, people in any."""
        return self.live.lower() == self.candidate.lower()
