"""The five stories. Each does one thing to the workspace or the traffic, then only watches.

A story that ends otherwise raises StoryFailed. Deadlines are several times what a story needs on two cores, and leave
room for a minute's lease that a killed Functions host did not give back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from demo.client import LiveTraffic
from demo.data import Data, drifted, rows
from demo.models.versions import Trained
from demo.monitoring import DRIFT_RULE, LATENCY_RULE
from demo.pager import Page, Pager
from demo.referee import answered_by
from demo.watch import ENDED, Now, StoryFailed, Watch
from demo.workspace import Workspace


@dataclass
class Stage:
    """What the stories play on, and what they leave behind for the summary."""

    workspace: Workspace
    watch: Watch
    pager: Pager
    trained: Mapping[str, Trained]
    data: Data
    open_doors: Callable[[], LiveTraffic]
    """Starts the clients; called once there is somebody to answer them."""
    say: Callable[[str], None]
    """One line for the timeline."""
    traffic: LiveTraffic | None = None
    notes: dict[str, str] = field(default_factory=dict)
    """Measurements by name."""


@dataclass(frozen=True)
class Story:
    """One story: its letter, what should happen, and how it is played. `play` returns what is worth saying."""

    letter: str
    title: str
    play: Callable[[Stage], str]


def first_version(stage: Stage) -> str:
    """a. Version 1 on an empty endpoint goes to 100 %."""
    _register(stage, "1")
    _wait_for_done(stage, "1", seconds=120)
    stage.traffic = stage.open_doors()
    return f"AUC {stage.trained['1'].skill:.3f} on rows nobody has seen; clients send from here to the end"


def better_version(stage: Stage) -> str:
    """b. Version 2, better, goes shadow -> canary -> full, and version 1 is retired."""
    old = _live(stage)
    _register(stage, "2")
    now = _wait_for_done(stage, "2", seconds=180)
    _must_have_gone_through(now, "shadow", "canary", "full", "retiring")
    left = stage.workspace.deployments()
    if old in left:
        raise StoryFailed(f"version 1's deployment {old} is still there after the rollout: {sorted(left)}")
    return f"AUC {stage.trained['2'].skill:.3f}; {' -> '.join(now.rollout.phases)}; version 1 deleted"


def different_version(stage: Stage) -> str:
    """c. Version 3, which answers differently, is stopped in the shadow."""
    live = _live(stage)
    _register(stage, "3")
    now = stage.watch.wait_until(
        "version 3 is stopped", lambda now: _ended(now, "3"), seconds=150, unless=_must_not_go_live("3")
    )
    if now.rollout.phase == "done":
        raise StoryFailed("version 3 was released although it answers differently")
    now = stage.watch.wait_until("the mirror is off", lambda now: now.all_on(live), seconds=90)
    candidate = _deployment_of(stage, "3")
    if seen := answered_by(_clients(stage).answers(), candidate):
        raise StoryFailed(f"version 3 answered {seen} client requests")
    return "; ".join(now.rollout.reasons) or now.rollout.phase


def slow_version(stage: Stage) -> str:
    """d. Version 4 passes the shadow but gets slow under live load: an alert fires and it is rolled back."""
    live, begun = _live(stage), time.monotonic()
    _register(stage, "4")
    stage.watch.wait_until(
        "version 4 gets live traffic",
        lambda now: now.traffic.get(_deployment_of(stage, "4"), 0) > 0,
        seconds=150,
        unless=_must_not_end("4"),
    )
    page = _paged(stage, LATENCY_RULE, after=begun, seconds=60, unless=_must_not_end("4"))
    stage.say(f"  alert {LATENCY_RULE} fired")
    back = stage.watch.wait_until("all traffic is back on version 2", lambda now: now.all_on(live), seconds=90)
    stage.notes["from alert to the old version at 100 %"] = f"{max(0.0, back.at - page.at):.1f} s"
    now = stage.watch.wait_until("the rollback is recorded", lambda now: _ended(now, "4"), seconds=90)
    if now.rollout.phase == "done":
        raise StoryFailed("version 4 was released although its alert fired")
    if LATENCY_RULE not in (why := "; ".join(now.rollout.reasons)):
        raise StoryFailed(f"version 4 was rolled back, but not by the alert: {why}")
    return f"back {max(0.0, back.at - page.at):.1f} s after the alert; {why}"


def drifting_traffic(stage: Stage) -> str:
    """e. The traffic drifts: export, drift, alert, retraining; version 5 is released by itself."""
    if early := stage.pager.first(DRIFT_RULE):
        raise StoryFailed(f"the drift alert fired {time.monotonic() - early.at:.0f} s before the traffic drifted")
    known, begun = set(stage.workspace.job_states()), time.monotonic()
    _clients(stage).send_from_now_on(rows(drifted(stage.data.traffic)))
    stage.say("  clients now send other customers: older, with lower limits, higher bills and later payments")
    page = _paged(stage, DRIFT_RULE, after=begun, seconds=150)
    stage.notes["from drifted traffic to the drift alert"] = f"{page.at - begun:.1f} s"
    stage.say(f"  alert {DRIFT_RULE} fired, {page.at - begun:.1f} s after the traffic changed")
    job = _new_job(stage, known, seconds=120)
    stage.say(f"  training job {job} started")
    stage.watch.wait_until(
        "version 5 is rolled out",
        lambda now: now.rollout.version == "5",
        seconds=150,
        unless=lambda _: _failed_job(stage, job),
    )
    stage.notes["from the drift alert to version 5 registered"] = f"{time.monotonic() - page.at:.1f} s"
    stage.say("  the job registered version 5")
    now = _wait_for_done(stage, "5", seconds=180)
    _must_have_gone_through(now, "shadow", "canary", "full")
    return f"job {job} registered version 5; {' -> '.join(now.rollout.phases)}"


STORIES = (
    Story("a", "version 1 goes live on an empty endpoint", first_version),
    Story("b", "version 2, better, is released step by step", better_version),
    Story("c", "version 3 answers differently: stopped in the shadow", different_version),
    Story("d", "version 4 is slow under load: an alert rolls it back", slow_version),
    Story("e", "the traffic drifts: version 5 trains and releases itself", drifting_traffic),
)


def _register(stage: Stage, version: str) -> None:
    trained = stage.trained[version]
    stage.workspace.register_model(trained.folder, version, trained.description)


def _wait_for_done(stage: Stage, version: str, *, seconds: float) -> Now:
    def done(now: Now) -> bool:
        return _ended(now, version) and now.rollout.phase == "done" and now.all_on(now.rollout.candidate)

    def otherwise(now: Now) -> str | None:
        ended_badly = _ended(now, version) and now.rollout.phase != "done"
        return f"version {version} was not released" if ended_badly else None

    return stage.watch.wait_until(f"version {version} is released", done, seconds=seconds, unless=otherwise)


def _ended(now: Now, version: str) -> bool:
    return now.rollout.version == version and now.rollout.phase in ENDED


def _must_not_end(version: str) -> Callable[[Now], str | None]:
    return lambda now: f"version {version} ended before its alert fired" if _ended(now, version) else None


def _must_not_go_live(version: str) -> Callable[[Now], str | None]:
    def reason(now: Now) -> str | None:
        live = now.rollout.version == version and now.traffic.get(now.rollout.candidate, 0) > 0
        return f"version {version} got live traffic" if live else None

    return reason


def _must_have_gone_through(now: Now, *phases: str) -> None:
    if missing := [phase for phase in phases if phase not in now.rollout.phases]:
        raise StoryFailed(f"the rollout's history lacks {', '.join(missing)}: {' -> '.join(now.rollout.phases)}")


def _live(stage: Stage) -> str:
    return next(name for name, share in stage.watch.now.traffic.items() if share == 100)


def _deployment_of(stage: Stage, version: str) -> str:
    return next((name for name, known in stage.watch.versions.items() if known == version), "")


def _clients(stage: Stage) -> LiveTraffic:
    if stage.traffic is None:
        raise StoryFailed("no client is running: the first story must be played first")
    return stage.traffic


def _paged(
    stage: Stage, rule: str, *, after: float, seconds: float, unless: Callable[[Now], str | None] | None = None
) -> Page:
    def reason(now: Now) -> str | None:
        return None if stage.pager.first(rule, after=after) else unless(now) if unless else None

    stage.watch.wait_until(
        f"alert {rule} fires",
        lambda _: stage.pager.first(rule, after=after) is not None,
        seconds=seconds,
        unless=reason,
    )
    page = stage.pager.first(rule, after=after)
    assert page is not None
    return page


def _new_job(stage: Stage, known: set[str], *, seconds: float) -> str:
    found: list[str] = []

    def started(_: Now) -> bool:
        found[:] = sorted(set(stage.workspace.job_states()) - known)
        return bool(found)

    stage.watch.wait_until("a retraining job is started", started, seconds=seconds)
    return found[0]


def _failed_job(stage: Stage, job: str) -> str | None:
    state = stage.workspace.job_states().get(job)
    return f"the retraining job {job} is {state}" if state in ("Failed", "Canceled") else None
