"""The dashboard: what every endpoint does now, why, and what a person has to do.

Plain HTML made on the server, without scripts or outside assets, so that it works behind any proxy and on any phone
that an on-call engineer has. It renews itself by a meta refresh; what a reader opened stays open, because that is kept
in the address (`#history-...`) and not in the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jinja2 import Template

REFRESH_SECONDS: Final = 5
_TEMPLATES: Final = Path(__file__).parent / "templates"
_LATEST: Final = 4
"""Lines of history that are shown without being asked for."""

PHASES: Final = {
    "deploying": ("deploying", "moving"),
    "testing": ("testing", "moving"),
    "shadow": ("shadow", "moving"),
    "canary": ("canary", "moving"),
    "awaiting_approval": ("waiting for approval", "person"),
    "waiting": ("waiting", "moving"),
    "checking": ("checking", "moving"),
    "full": ("all traffic, baking", "moving"),
    "retiring": ("retiring the old version", "moving"),
    "done": ("done", "good"),
    "rolling_back": ("rolling back", "bad"),
    "rolled_back": ("rolled back", "bad"),
    "superseded": ("superseded", "over"),
    "failed": ("failed", "bad"),
}
"""Each phase in words, and its tone: moving, person (waits for somebody), good, bad or over."""
_FINISHED: Final = ("done", "rolled_back", "superseded", "failed")
_STOPPED: Final = ("paused", "held", "frozen")
OUTCOMES: Final = {"harm": "✗ harm", "safe": "✓ safe", "unknown": "? not enough evidence"}


@dataclass(frozen=True)
class EvidenceView:
    """What one gate says; outcome is harm, safe or unknown."""

    gate: str
    outcome: str
    text: str


@dataclass(frozen=True)
class QueryView:
    """A query behind the evidence; the link opens it in Azure's portal."""

    name: str
    link: str


@dataclass(frozen=True)
class HistoryView:
    """One line of a rollout's history."""

    at: str
    phase: str
    text: str


@dataclass(frozen=True)
class Share:
    """One stretch of a traffic bar; role is live, candidate or other."""

    deployment: str
    percent: int
    role: str


@dataclass(frozen=True)
class RolloutView:
    """One endpoint's rollout, as GET /api/rollouts tells it. `history` runs from the oldest to the newest."""

    policy: str
    target: str
    endpoint: str
    kind: str
    model: str
    version: str
    phase: str
    step: str
    flags: Sequence[str]
    live: str | None
    candidate: str | None
    traffic: Mapping[str, int]
    mirror: Mapping[str, int]
    reasons: Sequence[str]
    evidence: Sequence[EvidenceView]
    since: str
    next_look: str
    history: Sequence[HistoryView]
    holds: Sequence[str] = ()
    """The alerts, or the change of the split, that hold it."""
    window: str = ""
    """The time that the evidence is of."""
    queries: Sequence[QueryView] = ()

    @property
    def path(self) -> str:
        """The rollout's name in addresses."""
        return f"{self.policy}/{self.target}/{self.endpoint}"

    @property
    def kind_words(self) -> str:
        """What kind of rollout it is, where that is not the usual one."""
        return {"rollout": "", "rollback": "the way back after a rollout"}.get(self.kind, self.kind)

    @property
    def anchor(self) -> str:
        """Where its whole history is on the page. Parts hold no dots, so no two rollouts share one."""
        return f"history-{self.policy}.{self.target}.{self.endpoint}"

    @property
    def finished(self) -> bool:
        """Whether the rollout is over."""
        return self.phase in _FINISHED

    @property
    def phase_words(self) -> str:
        """The phase as people say it; one that this page does not know is shown as it is."""
        return PHASES.get(self.phase, (self.phase.replace("_", " "), ""))[0]

    @property
    def tone(self) -> str:
        """What the phase means for the reader; a rollout that is stopped counts as waiting for somebody."""
        return "person" if self.stopped else PHASES.get(self.phase, ("", "over"))[1]

    @property
    def stopped(self) -> bool:
        """Whether it does not go forward until somebody acts or an alert resolves."""
        return not self.finished and any(flag in _STOPPED for flag in self.flags)

    @property
    def actions(self) -> Sequence[str]:
        """The commands a person is most likely to want now."""
        if self.finished:
            return ("rollback",) if self.phase == "done" else ("retry",)
        if self.phase == "rolling_back":
            return ()
        forward = ("approve", "reject") if self.phase == "awaiting_approval" else ()
        return (*forward, self._onward, "rollback")

    @property
    def _onward(self) -> str:
        """What lets it go on; the end of a freeze is no command, so what is frozen may only be stopped more."""
        if "paused" in self.flags or ("held" in self.flags and self.holds):
            return "resume"
        return "retry" if "held" in self.flags else "pause"

    @property
    def told_reasons(self) -> Sequence[str]:
        """The reasons without those that the table of the evidence tells as well."""
        in_table = {f"{finding.gate}: {finding.text}" for finding in self.evidence}
        return tuple(reason for reason in self.reasons if reason not in in_table)

    @property
    def shares(self) -> Sequence[Share]:
        """Live traffic, the live deployment first."""
        return self._shares(self.traffic)

    @property
    def mirrored(self) -> Sequence[Share]:
        """Copies of requests, whose answers no client sees."""
        return self._shares(self.mirror)

    @property
    def traffic_words(self) -> str:
        """The bar for those who do not see it."""
        live = ", ".join(f"{share.percent} % {share.deployment}" for share in self.shares) or "none"
        mirror = ", ".join(f"{share.percent} % to {share.deployment}" for share in self.mirrored)
        return f"Live traffic: {live}." + (f" Mirrored: {mirror}." if mirror else "")

    @property
    def latest(self) -> Sequence[HistoryView]:
        """The newest lines of history, newest first."""
        return self.history[: -_LATEST - 1 : -1]

    @property
    def newest_first(self) -> Sequence[HistoryView]:
        """The whole history, newest first."""
        return self.history[::-1]

    def _shares(self, split: Mapping[str, int]) -> Sequence[Share]:
        order = {self.live: 0, self.candidate: 1}
        # After the release the candidate is what is live; the old deployment is gone or about to go.
        roles = {self.candidate: "live"} if self.phase == "done" else {self.candidate: "candidate", self.live: "live"}
        named = sorted(split.items(), key=lambda share: (order.get(share[0], 2), share[0]))
        return tuple(Share(name, percent, roles.get(name, "other")) for name, percent in named if percent > 0)


@dataclass(frozen=True)
class AlertView:
    """An alert that found no endpoint."""

    at: str
    rule: str
    text: str


@dataclass(frozen=True)
class FreezeView:
    """What somebody froze: nothing in its scope goes forward until then."""

    id: str
    scope: str
    owner: str
    reason: str
    until: str


@dataclass(frozen=True)
class DriftView:
    """The last drift measurement of one endpoint. `report` is where its report lies."""

    policy: str
    target: str
    endpoint: str
    at: str
    share: float
    drifted: bool
    n_drifted: int
    n_features: int
    report: str


@dataclass(frozen=True)
class DashboardView:
    """The whole page. `generated` and all other times are RFC 3339 in UTC."""

    rollouts: Sequence[RolloutView]
    policy_errors: Sequence[tuple[str, str]]
    unmatched_alerts: Sequence[AlertView]
    drift: Sequence[DriftView]
    generated: str
    freezes: Sequence[FreezeView] = ()

    @property
    def in_flight(self) -> Sequence[RolloutView]:
        """What moves: first what needs somebody, then what goes back, then the rest."""
        order = {"person": 0, "bad": 1}
        moving = (rollout for rollout in self.rollouts if not rollout.finished)
        return sorted(moving, key=lambda rollout: (order.get(rollout.tone, 2), rollout.path))

    @property
    def finished(self) -> Sequence[RolloutView]:
        """What is over: first what went wrong, then the rest."""
        over = (rollout for rollout in self.rollouts if rollout.finished)
        return sorted(over, key=lambda rollout: (rollout.tone != "bad", rollout.path))

    @property
    def counts(self) -> Sequence[tuple[str, int]]:
        """The page in one line."""
        waiting = sum(rollout.tone == "person" for rollout in self.in_flight)
        wrong = sum(rollout.tone == "bad" for rollout in self.finished)
        drifted = sum(drift.drifted for drift in self.drift)
        return (
            ("in flight", len(self.in_flight)),
            ("of them waiting for somebody", waiting),
            ("finished", len(self.finished)),
            ("of them went back or failed", wrong),
            ("with drifted traffic", drifted),
        )


def render(view: DashboardView) -> str:
    """The page as HTML. Everything in `view` is taken for text and escaped."""
    return _template().render(view=view, outcomes=OUTCOMES, refresh_seconds=REFRESH_SECONDS)


@lru_cache(maxsize=1)
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["clock"] = clock
    return environment.get_template("dashboard.html")


def clock(moment: str) -> str:
    """`2026-11-21T03:59:10.123Z` as people read it; anything else as it is."""
    if len(moment) >= 20 and moment[10] == "T" and moment.endswith("Z"):
        return f"{moment[:10]} {moment[11:19]}"
    return moment
