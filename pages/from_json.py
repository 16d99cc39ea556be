"""The dashboard's view from what the API answers as JSON, so that the page and the API cannot tell different things."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pages.dashboard import (
    AlertView,
    DashboardView,
    DriftView,
    EvidenceView,
    FreezeView,
    HistoryView,
    QueryView,
    RolloutView,
    clock,
)

Json = Mapping[str, Any]
_FREEZE = ("id", "scope", "owner", "reason", "until")


def dashboard_view(
    rollouts: Sequence[Json],
    *,
    policy_errors: Mapping[str, str],
    unmatched: Sequence[Json],
    drift: Sequence[Json],
    generated: str,
    freezes: Sequence[Json] = (),
) -> DashboardView:
    """`rollouts` as GET /api/rollouts/{...} answers them; `drift` are result files with their place laid over."""
    return DashboardView(
        rollouts=[_rollout(one) for one in rollouts],
        policy_errors=sorted(policy_errors.items()),
        unmatched_alerts=[AlertView(one["at"], one["rule"], "names no endpoint of a policy") for one in unmatched],
        drift=[_drift(one) for one in drift if one.get("status") == "measured"],
        generated=generated,
        freezes=[FreezeView(**{key: one[key] for key in _FREEZE}) for one in freezes],
    )


def _rollout(raw: Json) -> RolloutView:
    basis = raw.get("basis")
    return RolloutView(
        policy=raw["policy"],
        target=raw["target"],
        endpoint=raw["endpoint"],
        kind=raw["kind"],
        model=raw["model"],
        version=raw["version"],
        phase=raw["phase"],
        step=raw["step"] or "",
        flags=raw["flags"],
        live=raw["live"],
        candidate=raw["candidate"],
        traffic=raw["traffic"],
        mirror=raw["mirror"],
        reasons=raw["reasons"],
        evidence=[EvidenceView(one["gate"], one["outcome"], one["text"]) for one in raw["evidence"]],
        since=raw["entered"],
        next_look=raw["next_look"] or "",
        window=_window(basis) if basis else "",
        holds=raw["holds"],
        queries=[QueryView(one["name"], one["link"]) for one in basis["queries"]] if basis else (),
        history=[HistoryView(one["at"], one["phase"], one["text"]) for one in raw["history"]],
    )


def _window(basis: Json) -> str:
    since, until = (clock(basis[end]) for end in ("since", "until"))
    return f"{since} to {until}, from {basis['source'].replace('_', ' ')}"


def _drift(raw: Json) -> DriftView:
    overall = raw["overall"]
    return DriftView(
        policy=raw["policy"],
        target=raw["target"],
        endpoint=raw["endpoint"],
        at=raw["until"],
        share=overall["share_drifted_features"],
        drifted=overall["dataset_drift"],
        n_drifted=overall["n_drifted_features"],
        n_features=overall["n_features"],
        report=f"drift/{raw['report']}" if raw.get("report") else "",
    )
