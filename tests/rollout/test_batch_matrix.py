"""The matrix of batch rollouts: whatever becomes of the jobs on the sample, what comes next and what is done.

A cell is the next phase (left out: the same), then after a `+` the actions, then the flags:

    .      nothing is done            S   starts a job on the sample          !   held
    W      makes a deployment the     K   cancels a job                       p   paused
           default one                D   deletes a deployment
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from rollout.batch_rows import Compared
from rollout.decide import decide
from rollout.decision import Action, CancelJob, Decision, DeleteDeployment, SetTraffic, StartJob
from rollout.observation import JobSeen, Observation
from rollout.phases import Flag, Phase
from rollout.record import Record, from_json, to_json
from rollout.sample import Whose, whose_jobs
from rollout.verdict import Arm, Evidence
from tests.rollout.batch_world import (
    ALIKE,
    LONG_AGO,
    NOW,
    PLACE,
    POLICY,
    TEXT,
    batch_endpoint,
    batch_record,
    job,
    seen_with,
)
from tests.rollout.world import AT_HOME, FULL, NEW, OLD, PACE, V1, V2, V3, alert, command, versions

TABLE = """
what happens                          testing    shadow      checking    approval full     retiring back
------------------------------------  ---------- ----------- ----------- -------- -------- -------- ----
jobs could not be read                .          .           .           .        .        .        +W
no job yet                            +S         +SS         +SS         .        .        .        +W
no job yet, paused                    p          p           p           p        p        p        +Wp
no job yet, Azure refused it          .          .           .           .        .        .        +W
jobs run                              .          .           .           .        .        .        +W
jobs done, rows alike                 shadow+SS  .           full+W      .        .        .        +W
jobs done, rows alike, long enough    shadow+SS  approval    full+W      .        .        .        +W
jobs done, rows differ                shadow+SS  rolled      rolled      .        .        .        +W
jobs done, a single row missing       shadow+SS  rolled      rolled      .        .        .        +W
jobs done, too few rows               shadow+SS  .           .           .        .        .        +W
candidate's job failed                failed     rolled      rolled      .        .        .        +W
candidate's completed with failures   failed     rolled      rolled      .        .        .        +W
candidate's completed without a row   failed     rolled      rolled      .        .        .        +W
candidate's failed, live's runs       failed     .           .           .        .        .        +W
live's job failed                     shadow+SS  .           .           .        .        .        +W
both jobs failed                      failed     .           .           .        .        .        +W
candidate's job cancelled             +S         +S          +S          .        .        .        +W
live's job cancelled                  shadow+SS  +S          +S          .        .        .        +W
candidate's cancelled three times     .          .           .           .        .        .        +W
candidate's job takes too long        failed+K   rolled+K    rolled+K    .        .        .        +W
live's job takes too long             shadow+SS  +K          +K          .        .        .        +W
jobs run, alert: rollback             rolled+K   rolled+KK   rolled+KK   rolled   back+W   back+W   +W
jobs run, command: advance            shadow+KSS approval+KK full+WKK    .        retiring +D       +W
jobs run, command: promote            full+WK    full+WKK    full+WKK    full+W   .        .        +W
jobs run, newer version               supersed+K supersed+KK supersed+KK supersed .        +D       +W
users' jobs: all well                 .          .           .           .        .        .        +W
users' jobs: one failed               .          .           .           .        back+W   back+W   +W
users' jobs: failed no more than once .          .           .           .        .        .        +W
"""
WIDTH = 38
DIFFERENT = Compared(rows=100, missing=0, pairs=100, agreed=50)
ONE_MISSING = Compared(rows=10_000, missing=1, pairs=9_999, agreed=9_999)
FEW = Compared(rows=5, missing=0, pairs=5, agreed=5)


@dataclass(frozen=True)
class Given:
    """A record, and what else the look sees beside the endpoint."""

    record: Record
    seen: dict[str, Any]

    def tried(self, *jobs: JobSeen, compared: Compared | None = None) -> Given:
        """With these jobs on the sample, those of them that the phase waits for."""
        if not whose_jobs(self.record):
            return self
        wanted = tuple(one for one in jobs if one.name.rsplit("-", 2)[1] in whose_jobs(self.record))
        return self.seeing(**seen_with(self.record, *wanted, compared=compared))

    def seeing(self, **seen: Any) -> Given:
        """With more seen."""
        return replace(self, seen={**self.seen, **seen})

    def recorded(self, **changes: Any) -> Given:
        """With another record."""
        return replace(self, record=replace(self.record, **changes))

    def job(self, whose: Whose, state: str, **more: Any) -> JobSeen:
        """One of its jobs."""
        return job(self.record, whose, state, **more)

    def both(self, candidate: str, live: str = "Completed", *, compared: Compared | None = None, **more: Any) -> Given:
        """With both jobs in these states; `more` is said of the candidate's."""
        return self.tried(self.job("candidate", candidate, **more), self.job("live", live), compared=compared)


def canceled_three_times(given: Given) -> Given:
    tries = [given.job("candidate", "Canceled", attempt=attempt) for attempt in range(3)]
    return given.tried(*tries, given.job("live", "Running"))


def long_ago(given: Given) -> Given:
    phase = given.record.phase
    if phase not in (Phase.SHADOW, Phase.CHECKING):
        return given
    return given.recorded(entered=NOW - LONG_AGO, since=NOW - LONG_AGO)


def users(failed: int, of: int, *, before: tuple[int, int] = (10, 0)) -> Callable[[Given], Given]:
    """Jobs of the endpoint's users since the switch, and before it."""

    def happens(given: Given) -> Given:
        if given.record.phase not in (Phase.FULL, Phase.RETIRING):
            return given
        return given.seeing(evidence=Evidence(NOW, NOW, Arm(*before), Arm(of, failed), source="jobs"))

    return happens


HAPPENINGS: dict[str, Callable[[Given], Given]] = {
    "jobs could not be read": lambda g: g.seeing(trouble=("503",)),
    "no job yet": lambda g: g.tried(),
    "no job yet, paused": lambda g: g.recorded(flags=frozenset({Flag.PAUSED})).tried(),
    "no job yet, Azure refused it": lambda g: g.recorded(refused="400 no such sample").tried(),
    "jobs run": lambda g: g.both("Running", "Running"),
    "jobs done, rows alike": lambda g: g.both("Completed", compared=ALIKE),
    "jobs done, rows alike, long enough": lambda g: long_ago(g).both("Completed", compared=ALIKE),
    "jobs done, rows differ": lambda g: g.both("Completed", compared=DIFFERENT),
    "jobs done, a single row missing": lambda g: g.both("Completed", compared=ONE_MISSING),
    "jobs done, too few rows": lambda g: long_ago(g).both("Completed", compared=FEW),
    "candidate's job failed": lambda g: g.both("Failed", failure="column y is missing"),
    "candidate's completed with failures": lambda g: g.both("Completed", failed=1),
    "candidate's completed without a row": lambda g: g.both("Completed", size=0),
    "candidate's failed, live's runs": lambda g: g.both("Failed", "Running"),
    "live's job failed": lambda g: g.both("Completed", "Failed"),
    "both jobs failed": lambda g: g.both("Failed", "Failed"),
    "candidate's job cancelled": lambda g: g.both("Canceled", "Running"),
    "live's job cancelled": lambda g: g.both("Completed", "Canceled"),
    "candidate's cancelled three times": canceled_three_times,
    "candidate's job takes too long": lambda g: g.both("Running", created=NOW - LONG_AGO),
    "live's job takes too long": lambda g: g.tried(
        g.job("candidate", "Completed"), g.job("live", "Running", created=NOW - LONG_AGO)
    ),
    "jobs run, alert: rollback": lambda g: g.both("Running", "Running").seeing(alerts=(alert("rollback"),)),
    "jobs run, command: advance": lambda g: g.both("Running", "Running").seeing(commands=(command("advance"),)),
    "jobs run, command: promote": lambda g: g.both("Running", "Running").seeing(commands=(command("promote"),)),
    "jobs run, newer version": lambda g: g.both("Running", "Running").seeing(versions=versions(V1, V2, V3)),
    "users' jobs: all well": users(0, 3),
    "users' jobs: one failed": users(1, 3),
    "users' jobs: failed no more than once": users(1, 3, before=(3, 1)),
}
PHASES = {
    "approval": Phase.AWAITING_APPROVAL,
    "back": Phase.ROLLING_BACK,
}


def rows() -> tuple[list[str], list[tuple[str, list[str]]]]:
    """The columns, and each line as its event and its cells."""
    head, *lines = [line for line in TABLE.strip().splitlines() if not line.startswith("---")]
    return head[WIDTH:].split(), [(line[:WIDTH].strip(), line[WIDTH:].split()) for line in lines]


CELLS = [(event, column, cell) for event, line in rows()[1] for column, cell in zip(rows()[0], line, strict=True)]


@pytest.mark.parametrize(("event", "column", "expected"), CELLS, ids=lambda text: str(text))
def test_each_event_in_each_phase_has_the_outcome_of_the_table(event: str, column: str, expected: str) -> None:
    phase = PHASES.get(column) or Phase(column)
    given = HAPPENINGS[event](Given(batch_record(phase), {}))

    observation = Observation(batch_endpoint(phase), **given.seen)
    decision = decide(PLACE, POLICY, TEXT, given.record, observation, NOW, pace=PACE)

    assert decision is not None
    assert in_words(given.record, decision) == expected
    for action in decision.actions:
        assert_as_meant(action, given, decision.record)
    assert decision.record.terminal or decision.record.next_look is not None
    assert decision.record.reasons
    assert from_json(json.loads(json.dumps(to_json(decision.record)))) == decision.record


def test_the_table_has_a_row_for_every_event() -> None:
    assert [event for event, _ in rows()[1]] == list(HAPPENINGS)


def assert_as_meant(action: Action, given: Given, after: Record) -> None:
    if isinstance(action, SetTraffic):
        home = after.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK)
        assert (action.traffic, action.mirror) == (AT_HOME if home else FULL)
    elif isinstance(action, StartJob):
        assert action.deployment in (NEW, OLD)
        assert f"-{after.step}-" in action.name
    elif isinstance(action, CancelJob):
        running = {one.name for one in given.seen["jobs"] if not one.ended}
        assert action.name in running
    else:
        assert action == DeleteDeployment(OLD)


def in_words(before: Record, decision: Decision) -> str:
    """What was decided, in the words of the table."""
    after = decision.record
    short = {"rolling_back": "back", "rolled_back": "rolled", "superseded": "supersed", "awaiting_approval": "approval"}
    phase = "" if after.phase is before.phase else short.get(after.phase, after.phase)
    letters = {SetTraffic: "W", StartJob: "S", CancelJob: "K", DeleteDeployment: "D"}
    done = "".join(letters[type(action)] for action in decision.actions)
    flags = "".join({Flag.HELD: "!", Flag.PAUSED: "p"}[flag] for flag in sorted(after.flags))
    return f"{phase}{'+' + done if done else ''}{flags}" or "."
