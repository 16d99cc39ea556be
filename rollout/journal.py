"""The journal: one line for each look, from which its decision follows again. Pure.

A line has what the look saw, the time, the policy's text where it is not the rollout's own, and what was decided: the
record's changes, the new lines of its history, the actions. What Azure answered to the actions is added when it is
known; a line without an outcome is of a look whose actions met no error, or whose worker died.

The newest lines wait in the record itself, so that they are saved in the same write as the decision, and are moved to
the history in blocks (`rollout.looks`). What was seen is told whole in the first line of a block and as a patch of
the line before in the others. Of a place that looks cannot be written at, the oldest are given up: numbers tell.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from rollout.act import Outcome
from rollout.codec import decoded, encoded, stamp
from rollout.decision import Decision
from rollout.observation import Observation
from rollout.patch import Json, applied, difference
from rollout.phases import Phase
from rollout.record import Journal, Record

BLOCK = 10
"""Lines in a block. An append blob takes 50,000 blocks: half a year of looks, 30 s apart."""
LONG = 32_000
"""Characters after which a block is not waited for any longer."""
MOST = 100
"""Lines that wait at most; while storage takes no block a record must not grow for days."""
UNTOLD = ("record", "journal", "outbox", "history", "policy_text")
"""Parts of the record that no decision changes; of the history only the new lines are told."""


def journaled(
    before: Record | None, decision: Decision, seen: Observation, text: str, now: datetime, pace: timedelta
) -> Record:
    """The decision's record with the look's line in its journal; `text` is the policy that it was decided by."""
    same = before is not None and before.number == decision.record.number
    journal = before.journal if same and before else Journal()
    pending = journal.pending if len(journal.pending) < MOST else ()
    line: Json = {"look": journal.looks + 1, "at": stamp(now), "pace": pace.total_seconds()}
    if not same:
        line["before"] = None if before is None else plain(before)
    if text != (before.policy_text if before is not None and same else decision.record.policy_text):
        line["policy"] = text
    shown = encoded(seen, whole=False)
    if pending:
        line["changed"] = difference(_last_seen(pending), shown)
    else:
        line["seen"] = shown
    line |= answer(before, decision)
    changed = before is not None and same and before.policy_text != decision.record.policy_text
    began = journal.began or (before.policy_text if before is not None and changed else "")
    return replace(decision.record, journal=Journal(journal.looks + 1, journal.size, (*pending, line), began))


def canonical(seen: Observation) -> Observation:
    """The observation as a reader of the journal gets it: a decision must not hang on what its line does not have."""
    return decoded(Observation, encoded(seen, whole=False))


def answer(before: Record | None, decision: Decision) -> Json:
    """What was decided, as the line has it. A replay must come to the same bytes."""
    same = before is not None and before.number == decision.record.number
    old = plain(before) if before is not None and same else {}
    told: Json = {"record": difference(old, plain(decision.record))}
    entries = before.entries if before is not None and same else ()
    grown = decision.record.entries[: len(entries)] == entries
    said = [encoded(entry, whole=False) for entry in decision.record.entries[len(entries) if grown else 0 :]]
    if said:
        told["said" if grown else "history"] = said
    if decision.actions:
        told["did"] = [{"action": type(one).__name__, **encoded(one, whole=False)} for one in decision.actions]
    return told


def with_outcome(record: Record, outcome: Outcome, now: datetime, pace: timedelta) -> Record:
    """The record after its actions: what Azure refused and what is tried again, and the line that tells of it."""
    if outcome == Outcome():
        return record
    after = told_of(record, outcome, now, pace)
    if not after.journal.pending:
        return after
    line = {**after.journal.pending[-1], "outcome": {"at": stamp(now), **encoded(outcome, whole=False)}}
    return replace(after, journal=replace(after.journal, pending=(*after.journal.pending[:-1], line)))


def told_of(record: Record, outcome: Outcome, now: datetime, pace: timedelta) -> Record:
    """The record with what the actions met in its reasons and history; a way back is tried again soon."""
    if outcome.refused:
        record = replace(record, refused=outcome.refused, reasons=(*record.reasons, f"refused: {outcome.refused}"))
        record = record.noted(now, "trouble", outcome.refused)
    for text in outcome.trouble:
        record = replace(record, reasons=(*record.reasons, text)).noted(now, "trouble", text)
    if outcome.retry_after is not None and record.phase is Phase.ROLLING_BACK:
        record = replace(record, next_look=now + min(timedelta(seconds=outcome.retry_after), pace))
    return record


def plain(record: Record) -> Json:
    """The record as far as decisions are about it, without its history.

    What has its default is left out, so that the line is the same when a later build knows of more.
    """
    return {key: value for key, value in encoded(record, whole=False).items() if key not in UNTOLD}


def is_block(journal: Journal) -> bool:
    """Whether enough lines wait to move them to the history."""
    pending = journal.pending
    return len(pending) >= BLOCK or sum(len(json.dumps(line)) for line in pending) > LONG


def with_seen(lines: Iterable[Mapping[str, Any]]) -> Iterator[Json]:
    """The lines, each once, with what was seen told whole. A line that was written twice is taken once."""
    seen: Json = {}
    number = 0
    for line in lines:
        if line["look"] <= number:
            continue
        number = line["look"]
        seen = applied(seen, line["changed"]) if "changed" in line else dict(line["seen"])
        yield {**{key: value for key, value in line.items() if key != "changed"}, "seen": seen}


def _last_seen(pending: tuple[Mapping[str, Any], ...]) -> Json:
    return dict(list(with_seen(pending))[-1]["seen"])
