"""A share of the requests of either deployment, as the gates that compare shares are given it."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.verdict import Counted, Evidence

FEWEST_HARMFUL = 3
"""Fewer than this are never harm, whatever their odds: one unlucky client's request may come twice."""


@dataclass(frozen=True)
class Shares:
    """(counted, requests) of either deployment; `what` says in a word what was counted."""

    gate: str
    what: str
    live: tuple[int, int]
    candidate: tuple[int, int]

    @property
    def rise(self) -> float:
        """Of the candidate's share over live's."""
        return _share(self.candidate) - _share(self.live)

    @property
    def text(self) -> str:
        """Both in words."""
        (k, n), (live_k, live_n) = self.candidate, self.live
        return (
            f"{k} of {n} {self.what} ({_share(self.candidate):.2%}),"
            f" live {live_k} of {live_n} ({_share(self.live):.2%})"
        )


def failed(evidence: Evidence) -> Shares:
    """Requests that failed."""
    live, candidate = evidence.live, evidence.candidate
    return Shares("error_rate", "failed", (live.errors, live.requests), (candidate.errors, candidate.requests))


def counted(one: Counted) -> Shares:
    """Requests that a query of the policy's own counted."""
    return Shares(one.gate, "counted", one.live, one.candidate)


def _share(counts: tuple[int, int]) -> float:
    return counts[0] / counts[1] if counts[1] else 0.0
