"""Every command in every phase: taken, or refused with the reason. What a taken one does: test_decide_matrix.

yes     taken                                  person  the step waits for a person
none    there is no rollout yet                fine    nothing to retry
flies   another rollout is in flight           again   done; `start` begins another
early   the candidate is not deployed yet      free    neither paused nor held
all     it has all of the traffic already      twice   paused already
over    the rollout is over, or going back     moved   the sender saw an older record
back    it is going back already               ice     frozen
first   nothing to go back to                  unasked no approval is asked for

`held` is held by an alert or by somebody's split; `stuck` by what its reasons say, such as a lack of quota.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from rollout.commands import ACTIONS, Command, refusal
from rollout.phases import Flag, Phase
from rollout.record import Record
from tests.rollout.world import standing

WIDTH = 22
TABLE = """
command               (none)  deploy  test    shadow  canary  approv  wait    check   full    retire  done    back    rolled  supers  failed
--------------------- ------- ------- ------- ------- ------- ------- ------- ------- ------- ------- ------- ------- ------- ------- -------
start                 yes     flies   flies   flies   flies   flies   flies   flies   flies   flies   yes     flies   yes     yes     yes
promote               none    early   yes     yes     yes     yes     yes     yes     all     all     over    over    over    over    over
promote, frozen       none    early   ice     ice     ice     ice     ice     ice     all     all     over    over    over    over    over
advance               none    early   yes     yes     yes     person  yes     yes     yes     yes     over    over    over    over    over
advance, frozen       none    early   yes     yes     yes     person  yes     yes     yes     yes     over    over    over    over    over
rollback              none    yes     yes     yes     yes     yes     yes     yes     yes     yes     yes     back    over    over    over
rollback, paused      none    yes     yes     yes     yes     yes     yes     yes     yes     yes     yes     back    over    over    over
rollback, held        none    yes     yes     yes     yes     yes     yes     yes     yes     yes     yes     back    over    over    over
rollback, frozen      none    yes     yes     yes     yes     yes     yes     yes     yes     yes     yes     back    over    over    over
rollback, first       none    yes     yes     yes     yes     yes     yes     yes     yes     yes     first   back    over    over    over
pause                 none    yes     yes     yes     yes     yes     yes     yes     yes     yes     over    over    over    over    over
pause, paused         none    twice   twice   twice   twice   twice   twice   twice   twice   twice   twice   twice   twice   twice   twice
pause, frozen         none    yes     yes     yes     yes     yes     yes     yes     yes     yes     over    over    over    over    over
resume                none    free    free    free    free    free    free    free    free    free    free    free    free    free    free
resume, paused        none    yes     yes     yes     yes     yes     yes     yes     yes     yes     yes     yes     yes     yes     yes
resume, held          none    yes     yes     yes     yes     yes     yes     yes     yes     yes     yes     yes     yes     yes     yes
resume, stuck         none    yes     yes     yes     yes     yes     yes     yes     yes     yes     yes     yes     yes     yes     yes
approve               none    unasked unasked unasked unasked yes     unasked unasked unasked unasked unasked unasked unasked unasked unasked
approve, frozen       none    unasked unasked unasked unasked yes     unasked unasked unasked unasked unasked unasked unasked unasked unasked
reject                none    unasked unasked unasked unasked yes     unasked unasked unasked unasked unasked unasked unasked unasked unasked
retry                 none    fine    fine    fine    fine    fine    fine    fine    fine    fine    again   fine    yes     yes     yes
retry, held           none    yes     yes     yes     yes     yes     yes     yes     yes     yes     again   yes     yes     yes     yes
retry, stuck          none    yes     yes     yes     yes     yes     yes     yes     yes     yes     again   yes     yes     yes     yes
rollback, of before   none    moved   moved   moved   moved   moved   moved   moved   moved   moved   moved   moved   moved   moved   moved
start, of before      yes     moved   moved   moved   moved   moved   moved   moved   moved   moved   moved   moved   moved   moved   moved
"""  # noqa: E501

WORDS = {
    "there is no rollout yet": "none",
    "a rollout of version 2 is in flight": "flies",
    "the candidate is not deployed yet": "early",
    "version 2 has all of the traffic already": "all",
    "the rollout is frozen": "ice",
    "the rollout is going back already": "back",
    "this is the first version: there is nothing to go back to": "first",
    "the step waits for a person: use `approve`": "person",
    "the rollout is paused already": "twice",
    "the rollout is neither paused nor held": "free",
    "no approval is asked for": "unasked",
    "nothing to retry": "fine",
    "the rollout is done; `start` begins another": "again",
    "the rollout has moved on: it is at record 12, you saw 11": "moved",
    "the rollout is over": "over",
    "the rollout is ": "over",
}


@dataclass(frozen=True)
class Cell:
    """What the table says of a command in a phase."""

    situation: str
    column: str
    phase: Phase | None
    expected: str


def cells() -> list[Cell]:
    """Every cell of the table."""
    head, _, *lines = TABLE.strip().splitlines()
    columns = list(zip(head[WIDTH:].split(), (None, *Phase), strict=True))
    return [
        Cell(line[:WIDTH].strip(), column, phase, cell)
        for line in lines
        for (column, phase), cell in zip(columns, line[WIDTH:].split(), strict=True)
    ]


def record_of(cell: Cell) -> Record | None:
    """The record as the situation has it."""
    if cell.phase is None:
        return None
    record = standing(cell.phase, writes=12)
    state = cell.situation.partition(", ")[2]
    if state in ("paused", "frozen"):
        return replace(record, flags=frozenset({Flag(state)}))
    if state == "held":
        return replace(record, flags=frozenset({Flag.HELD}), holds=frozenset({"a-1"}))
    if state == "stuck":
        return replace(record, flags=frozenset({Flag.HELD}))
    return replace(record, live=None) if state == "first" else record


@pytest.mark.parametrize("cell", cells(), ids=lambda cell: f"{cell.column}: {cell.situation}")
def test_each_command_in_each_phase_is_taken_or_refused_with_the_tables_reason(cell: Cell) -> None:
    action, _, state = cell.situation.partition(", ")
    saw = 11 if state == "of before" else 12 if cell.phase is not None else None

    answer = refusal(record_of(cell), Command(action, "c-1", "because", saw))

    said = next((word for start, word in WORDS.items() if answer is not None and answer.startswith(start)), answer)
    assert (said or "yes") == cell.expected, answer


def test_the_table_has_a_row_for_every_command_and_a_column_for_every_phase() -> None:
    assert {cell.situation.partition(",")[0] for cell in cells()} == set(ACTIONS)
    assert {cell.phase for cell in cells()} == {None, *Phase}
