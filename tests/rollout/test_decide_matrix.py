"""The full matrix: whatever happens in whatever phase, what comes next and what is done.

Each cell says the next phase (left out: the same), then the actions after a `+`, then the flags:

    .      nothing is done                     back   rolling_back; its +W is always {old: 100} and no mirror
    +W     writes the (next) phase's split     new    a new rollout of another version, or of this one again
    +C     creates the candidate               !      held
    +D     deletes a deployment                p      paused
    +SD    saves its log first                 q      queued for its target
    +I     gives the candidate more instances  f      frozen

A column is a phase in which everything is settled (`world.standing`), except: `start` has asked for no deployment yet,
`creating` waits for it, `first` is a first version with all traffic, and `back` has not read its write back.
The rows are spelt out in `happenings`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from rollout.decision import Action, CreateDeployment, Decision, DeleteDeployment, SaveLogs, ScaleDeployment, SetTraffic
from rollout.phases import Flag, Phase
from rollout.record import Record, from_json, to_json
from tests.rollout.happenings import HAPPENINGS, Given, settled
from tests.rollout.world import AT_HOME, NEW, OLD, SPLITS, V2, decided

WIDTH = 35
"""Characters of a line before its cells."""

FORWARD = """
what happens                       start     creating  testing   shadow    canary    approval  waiting   checking
---------------------------------  --------- --------- --------- --------- --------- --------- --------- ---------
nothing new                        +C        .         .         .         .         .         .         .
evidence: safe, too early          +C        .         .         .         .         .         .         full+W
evidence: safe, long enough        +C        .         .         canary+W  approval  .         checking  full+W
evidence: unknown, long enough     +C        .         .         .         .         .         checking  .
evidence: none, long enough        +C        .         .         .         .         .         checking  .
evidence: unknown, a day too long  +C        .         .         !         !         .         checking  !
evidence: none, a day too long     +C        .         .         !         !         .         checking  !
one failed read, a day too long    +C        .         .         !         !         .         checking  !
evidence: harm                     rolled    rolled    rolled    back+W    back+W    back+W    back+W    back+W
smoke test passed                  +C        .         shadow+W  .         .         .         .         .
smoke test failed                  +C        .         failed    .         .         .         .         .
smoke test failed, alert: advance  +C        .         failed    canary+W  approval  .         checking  full+W
smoke test failed, promote         +C        .         failed    .         .         .         .         .
alert: rollback                    rolled    rolled    rolled    back+W    back+W    back+W    back+W    back+W
alert: hold                        !         !         !         !         !         !         !         !
alert: held, safe, long enough     !         !         !         !         !         !         !         !
alert: the hold resolved           +C        .         .         .         .         .         .         .
alert: advance                     +C        .         shadow+W  canary+W  approval  .         checking  full+W
alert: advance, of an earlier step +C        .         .         .         .         .         .         .
alert: advance, harm seen          rolled    rolled    rolled    back+W    back+W    back+W    back+W    back+W
command: start                     +C        .         .         .         .         .         .         .
command: promote                   +C        .         full+W    full+W    full+W    full+W    full+W    full+W
command: advance                   +C        .         shadow+W  canary+W  approval  .         checking  full+W
command: advance, an earlier step  +C        .         .         .         .         .         .         .
command: rollback                  rolled    rolled    rolled    back+W    back+W    back+W    back+W    back+W
command: pause                     p         p         p         p         p         p         p         p
command: paused, safe, long enough p         p         p         p         p         p         p         p
command: resume                    +C        .         .         .         .         .         .         .
command: approve                   +C        .         .         .         .         waiting   .         .
command: approve, an earlier step  +C        .         .         .         .         .         .         .
command: reject                    +C        .         .         .         .         back+W    .         .
command: retry                     +C        .         .         .         .         .         .         .
frozen                             f         f         f         f         f         f         f         f
frozen, not there yet              f         f         f         f         f         f         f         f
frozen, safe, long enough          f         f         f         f         f         f         f         f
frozen, candidate up               f         f         f         f         f         f         f         f
frozen, promote                    f         f         f         f         f         f         f         f
frozen, approve                    f         f         f         f         f         f         f         f
frozen, alert: rollback            rolled    rolled    rolled    back+W    back+W    back+W    back+W    back+W
frozen, evidence: harm             rolled    rolled    rolled    back+W    back+W    back+W    back+W    back+W
frozen, newer version              supersed  supersed  supersed  back+W    back+W    back+W    back+W    back+W
frozen, deadline and `keep` passed f         f         f         f!        f!        back+W    f!        f!
freezes cannot be read             f         f         f         f         f         f         f         f
candidate gone                     +C        +C        rolled    back+W    back+W    back+W    back+W    back+W
candidate failed                   +SD       failed    rolled    back+W    back+W    back+W    back+W    back+W
candidate canceled                 +SD       +SD       rolled    back+W    back+W    back+W    back+W    back+W
candidate up                       testing   testing   .         .         .         .         .         .
live unhealthy                     +C        .         .         .         .         .         .         .
live unhealthy, alert: rollback    rolled    rolled    rolled    back+W    back!     back!     back!     back!
old gone                           +C        .         .         .         .         .         .         .
old gone, alert: rollback          rolled    rolled    rolled    back+W    .         .         .         .
... and the versions are listed    rolled    rolled    rolled    back+W    .         .         .         .
endpoint gone                      !         !         .         .         .         .         .         .
endpoint cannot be read            .         .         .         .         .         .         .         .
endpoint busy                      .         .         .         .         .         .         .         .
endpoint busy, alert: rollback     rolled    rolled    rolled    back+W    back+W    back+W    back+W    back+W
foreign split                      +C        !         !         !         !         !         !         !
foreign split, shared              !         !         !         !         !         !         !         !
foreign split, not read back yet   +C        !         !         !         !         !         !         !
foreign, not read back, rollback   rolled    rolled    rolled    rolled    rolled    rolled    rolled    rolled
no live traffic at all             !         !         !         !         !         !         !         !
foreign mirror                     !         !         !         !         !         !         !         !
mirror lost                        +C        .         .         +W        .         .         .         .
split not there yet                +C        .         .         +W        +W        +W        +W        +W
split not there, endpoint busy     .         .         .         .         .         .         .         .
split read back                    +C        .         .         .         .         .         .         .
too few instances                  +C        .         .         +I        +I        +I        +I        +I
... and more are being made        +C        .         .         .         .         .         .         .
... and Azure refused: quota       !         .         .         !         !         !         !         !
... and the wait for quota is over +C        .         .         +I        +I        +I        +I        +I
... and the wait goes on           !         .         .         !         !         !         !         !
... and alert: rollback            rolled    rolled    rolled    rolled    back+W    back+W    back+W    back+W
... and the deadline passed        failed    .         failed    +I!       +I!       back+W    +I!       +I!
earlier target not done            q         .         .         .         .         .         .         .
earlier target not done, for days  q         .         failed    !         !         back+W    !         !
earlier target failed              failed    .         .         .         .         .         .         .
a check fails                      !         .         .         .         .         .         .         .
a check fails, alert: rollback     rolled    rolled    rolled    back+W    back+W    back+W    back+W    back+W
a check fails, deadline passed     failed    .         failed    !         !         back+W    !         !
checks could not be made           .         .         .         .         .         .         .         .
newer version                      supersed  supersed  supersed  back+W    back+W    back+W    back+W    back+W
newer version, alert: rollback     rolled    rolled    rolled    back+W    back+W    back+W    back+W    back+W
evidence: harm, deadline passed    rolled    rolled    rolled    back+W    back+W    back+W    back+W    back+W
live unhealthy, deadline passed    failed    .         failed    !         !         back!     !         !
endpoint gone, deadline passed     failed    failed    back      !         !         back      !         !
endpoint busy, deadline passed     failed    .         failed    !         !         back+W    !         !
tag lost                           rolled    rolled    rolled    back+W    back+W    back+W    back+W    back+W
deadline passed                    failed    .         failed    !         !         back+W    !         !
deadline passed, not there yet     failed    .         failed    +W!       +W!       back+W    +W!       +W!
deadline and `keep` passed         failed    .         failed    back+W    back+W    back+W    back+W    back+W
... and not there yet              failed    .         failed    rolled    back+W    back+W    back+W    back+W
paused for nine days               failed    p         rolled    back+W    back+W    back+W    back+W    back+W
held by an alert for nine days     failed    !         rolled    back+W!   back+W!   back+W!   back+W!   back+W!
paused for nine days, now frozen   fp        fp        f!p       f!p       f!p       back+W    f!p       f!p
paused for nine days, read fails   failed    failed    back      back      back      back      back      back
endpoint gone for ten days         failed    failed    shadow    back      back      back      back      back
foreign split for ten days         failed    !         rolled    rolled    rolled    rolled    rolled    rolled
Azure refused                      failed    .         .         .         .         .         .         .
Azure refused: quota               !         .         .         .         .         .         .         .
a failed candidate's time is up    +C        .         .         .         .         .         .         .
... and it has failed              +SD       failed    rolled    back+W    back+W    back+W    back+W    back+W
"""

BACKWARD = """
what happens                       full      first     retiring  back      done      rolled    supersed  failed
---------------------------------  --------- --------- --------- --------- --------- --------- --------- ---------
nothing new                        .         .         .         +W        .         .         .         .
evidence: safe, too early          .         .         .         +W        .         .         .         .
evidence: safe, long enough        retiring  done      .         +W        .         .         .         .
evidence: unknown, long enough     retiring  done      .         +W        .         .         .         .
evidence: none, long enough        .         done      .         +W        .         .         .         .
evidence: unknown, a day too long  retiring  done      +D        +W        .         .         .         .
evidence: none, a day too long     back+W    done      +D        +W        .         .         .         .
one failed read, a day too long    .         done      +D        +W        .         .         .         .
evidence: harm                     back+W    .         back+W    +W        .         .         .         .
smoke test passed                  .         .         .         +W        .         .         .         .
smoke test failed                  .         .         .         +W        .         .         .         .
smoke test failed, alert: advance  retiring  done      .         +W        .         .         .         .
smoke test failed, promote         .         .         .         +W        .         .         .         .
alert: rollback                    back+W    .         back+W    +W        back+W    .         .         .
alert: hold                        !         !         !         +W!       .         .         .         .
alert: held, safe, long enough     !         !         !         +W!       .         .         .         .
alert: the hold resolved           .         .         .         +W        .         .         .         .
alert: advance                     retiring  done      .         +W        .         .         .         .
alert: advance, of an earlier step .         .         .         +W        .         .         .         .
alert: advance, harm seen          back+W    .         back+W    +W        .         .         .         .
command: start                     .         .         .         +W        .         new       new       new
command: promote                   .         .         .         +W        .         .         .         .
command: advance                   retiring  done      +D        +W        .         .         .         .
command: advance, an earlier step  .         .         .         +W        .         .         .         .
command: rollback                  back+W    .         back+W    +W        back+W    .         .         .
command: pause                     p         p         p         +Wp       .         .         .         .
command: paused, safe, long enough p         p         p         +Wp       .         .         .         .
command: resume                    .         .         .         +W        .         .         .         .
command: approve                   .         .         .         +W        .         .         .         .
command: approve, an earlier step  .         .         .         +W        .         .         .         .
command: reject                    .         .         .         +W        .         .         .         .
command: retry                     .         .         .         +W        .         new       new       new
frozen                             f         f         f         +W        .         .         .         .
frozen, not there yet              f         f         f         +W        .         .         .         .
frozen, safe, long enough          f         f         f         +W        .         .         .         .
frozen, candidate up               f         f         f         +W        .         .         .         .
frozen, promote                    f         f         f         +W        .         .         .         .
frozen, approve                    f         f         f         +W        .         .         .         .
frozen, alert: rollback            back+W    .         back+W    +W        back+W    .         .         .
frozen, evidence: harm             back+W    .         back+W    +W        .         .         .         .
frozen, newer version              f         f         f         +W        new       new       new       new
frozen, deadline and `keep` passed f         f         f         +W        .         .         .         .
freezes cannot be read             f         f         f         +W        .         .         .         .
candidate gone                     back+W    .         back+W    +W        .         .         .         .
candidate failed                   back+W    .         back+W    +W        .         .         .         .
candidate canceled                 back+W    .         back+W    +W        .         .         .         .
candidate up                       .         .         .         +W        .         .         .         .
live unhealthy                     .         .         .         !         .         .         .         .
live unhealthy, alert: rollback    back!     .         back!     !         .         .         .         .
old gone                           .         .         done      !         .         .         .         .
old gone, alert: rollback          done      .         done      !         .         .         .         .
... and the versions are listed    done      .         done      !         deploying .         .         .
endpoint gone                      .         .         .         .         .         .         .         .
endpoint cannot be read            .         .         .         .         .         .         .         .
endpoint busy                      .         .         .         +W        .         .         .         .
endpoint busy, alert: rollback     back+W    .         back+W    +W        back+W    .         .         .
foreign split                      !         !         !         rolled    .         .         .         .
foreign split, shared              !         !         !         rolled    .         .         .         .
foreign split, not read back yet   !         !         !         rolled    .         .         .         .
foreign, not read back, rollback   rolled    rolled    rolled    rolled    .         .         .         .
no live traffic at all             !         !         !         rolled    .         .         .         .
foreign mirror                     !         !         !         +W        .         .         .         .
mirror lost                        .         .         .         +W        .         .         .         .
split not there yet                +W        +W        +W        +W        .         .         .         .
split not there, endpoint busy     .         .         .         +W        .         .         .         .
split read back                    .         .         .         rolled    .         .         .         .
too few instances                  +I        +W        +I        +W        .         .         .         .
... and more are being made        .         .         .         +W        .         .         .         .
... and Azure refused: quota       !         +W        !         +W        .         .         .         .
... and the wait for quota is over +I        +W        +I        +W        .         .         .         .
... and the wait goes on           !         +W        !         +W        .         .         .         .
... and alert: rollback            back+W    rolled    back+W    +W        back+W    .         .         .
... and the deadline passed        +I!       +W!       +I        +W        .         .         .         .
earlier target not done            .         .         .         +W        .         .         .         .
earlier target not done, for days  .         .         +D        +W        .         .         .         .
earlier target failed              .         .         .         +W        .         .         .         .
a check fails                      .         .         .         +W        .         .         .         .
a check fails, alert: rollback     back+W    .         back+W    +W        back+W    .         .         .
a check fails, deadline passed     .         .         +D        +W        .         .         .         .
checks could not be made           .         .         .         +W        .         .         .         .
newer version                      .         .         +D        +W        new       new       new       new
newer version, alert: rollback     back+W    supersed  back+W    +W        back+W    new       new       new
evidence: harm, deadline passed    back+W    failed    back+W    +W        .         .         .         .
live unhealthy, deadline passed    .         .         +D        failed    .         .         .         .
endpoint gone, deadline passed     .         .         .         failed    .         .         .         .
endpoint busy, deadline passed     .         .         .         +W        .         .         .         .
tag lost                           back+W    .         back+W    +W        back+W    .         .         .
deadline passed                    .         .         +D        +W        .         .         .         .
deadline passed, not there yet     +W!       +W!       +W        +W        .         .         .         .
deadline and `keep` passed         .         .         +D        +W        .         .         .         .
... and not there yet              back+W    rolled    +W        +W        .         .         .         .
paused for nine days               failed    failed    failed    +Wp       .         .         .         .
held by an alert for nine days     failed    failed    failed    +W!       .         .         .         .
paused for nine days, now frozen   fp        fp        fp        +Wp       .         .         .         .
paused for nine days, read fails   failed    failed    p         failed    .         .         .         .
endpoint gone for ten days         failed    failed    failed    failed    .         .         .         .
foreign split for ten days         rolled    rolled    rolled    rolled    .         .         .         .
Azure refused                      .         .         .         +W        .         .         .         .
Azure refused: quota               .         .         .         +W        .         .         .         .
a failed candidate's time is up    .         .         .         +W        .         +SD       +SD       +SD
... and it has failed              back+W    .         back+W    +W        .         +SD       +SD       +SD
"""


@dataclass(frozen=True)
class Cell:
    """What the table says of one event in one phase."""

    happening: str
    column: str
    expected: str


def rows(table: str) -> list[tuple[str, list[str]]]:
    """The lines of a table: the event, and its cells in the order of the columns."""
    lines = [line for line in table.strip().splitlines() if not line.startswith("---")]
    split = [(line[:WIDTH].strip(), line[WIDTH:].split()) for line in lines]
    assert len({len(cells) for _, cells in split}) == 1, "every row fills every column"
    return split


def cells(table: str) -> list[Cell]:
    """Every cell of a table."""
    (_, columns), *lines = rows(table)
    return [Cell(event, column, cell) for event, line in lines for column, cell in zip(columns, line, strict=True)]


@pytest.mark.parametrize("cell", cells(FORWARD) + cells(BACKWARD), ids=lambda cell: f"{cell.column}: {cell.happening}")
def test_each_event_in_each_phase_has_the_outcome_of_the_table(cell: Cell) -> None:
    given = HAPPENINGS[cell.happening](settled(cell.column))

    decision = decided(given.record, given.world, **given.seen)

    assert in_words(given, decision) == cell.expected
    for action in decision.actions:
        assert_as_meant(action, given, decision.record)
    assert_a_record_that_can_go_on(decision.record)


def assert_as_meant(action: Action, given: Given, after: Record) -> None:
    """An action does to the right deployment what its letter says."""
    if isinstance(action, SetTraffic):
        back = after.phase is Phase.ROLLING_BACK
        assert (action.traffic, action.mirror) == (AT_HOME if back else SPLITS[after.phase])
        assert action.urgent == back, "only the way back is sent into an operation that is running"
    elif isinstance(action, CreateDeployment):
        assert given.world is not None
        assert (action.name, action.model_id, [action.like]) == (NEW, V2.id, list(given.world.traffic))
        live = given.world.deployments.get(action.like or "")
        assert action.instances == max(1, (live.instances if live else 1) // 5), "a mirror of 20 % needs a fifth"
    elif isinstance(action, ScaleDeployment):
        share = sum(part.get(NEW, 0) for part in SPLITS[after.phase])
        assert action == ScaleDeployment(NEW, 20 * share // 100)
    elif after.phase is Phase.RETIRING:
        assert action == DeleteDeployment(OLD)
    else:
        assert getattr(action, "name", None) == NEW


def assert_a_record_that_can_go_on(record: Record) -> None:
    """It says why it is where it is, when it is looked at again, and survives its blob."""
    assert record.terminal or record.next_look is not None
    assert record.reasons
    assert from_json(json.loads(json.dumps(to_json(record)))) == record


def test_the_table_has_a_row_for_every_event() -> None:
    for table in (FORWARD, BACKWARD):
        assert [event for event, _ in rows(table)[1:]] == list(HAPPENINGS)


def in_words(given: Given, decision: Decision) -> str:
    """What was decided, in the words of the table."""
    before, after = given.record, decision.record
    short = {"rolling_back": "back", "rolled_back": "rolled", "superseded": "supersed", "awaiting_approval": "approval"}
    phase = ""
    if after.number != before.number and after.kind == "rollout":
        phase = "new"
    elif after.phase is not before.phase:
        phase = short.get(after.phase, after.phase)
    done = "".join(letter(action) for action in decision.actions)
    flags = "".join(
        {Flag.HELD: "!", Flag.PAUSED: "p", Flag.QUEUED_FOR_TARGET: "q", Flag.FROZEN: "f"}[f]
        for f in sorted(after.flags)
    )
    return f"{phase}{'+' + done if done else ''}{flags}" or "."


def letter(action: Action) -> str:
    if isinstance(action, SetTraffic):
        return "W"
    return {CreateDeployment: "C", DeleteDeployment: "D", SaveLogs: "S", ScaleDeployment: "I"}[type(action)]
