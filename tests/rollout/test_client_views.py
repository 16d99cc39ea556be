"""What `python -m rollout list` and `show` print, from the JSON of the doors."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from policy.durations import lasting
from rollout.client.text import columns, printable, when
from rollout.client.views import page, progress, table
from rollout.client.waiting import waits
from rollout.codec import stamp
from rollout.phases import Flag, Phase
from rollout.record import Entry, Measured
from rollout.view import detail
from tests.rollout.world import NEW, NOW, standing

SAFE = Measured("error_rate", "safe", "4 of 1000 failed, live 3 of 9000", 0.0037, 0.005, 0.01, 1000)
BLIND = Measured("latency_p95", "unknown", "no latency is known")
LINES = tuple(Entry(NOW - timedelta(minutes=9 - n), Phase.CANARY, "decision", f"line {n}") for n in range(9))


def shown(phase: Phase = Phase.CANARY, **changes: Any) -> dict[str, Any]:
    """A rollout as the API shows it."""
    return detail(standing(phase, **({"next_look": NOW + timedelta(seconds=20)} | changes)))


def test_the_list_aligns_its_columns_and_names_first_what_waits_for_somebody() -> None:
    waiting = shown(Phase.AWAITING_APPROVAL) | {"policy": "zebra", "reasons": ["waits for an approval " * 9]}
    head, first, second = table([shown(), waiting], NOW)
    assert first.startswith("zebra")
    assert [line.index(word) for line, word in ((head, "phase"), (first, "awaiting"), (second, "canary"))] == [
        head.index("phase")
    ] * 3
    assert first.endswith("…")
    assert "(in 20s)" in second


def test_a_page_tells_phase_split_evidence_and_the_newest_lines_of_the_history() -> None:
    text = "\n".join(page(shown(evidence=(SAFE, BLIND), entries=LINES), NOW))
    assert text.startswith("credit/production/credit: version 2 of card\n")
    assert f"10 % {NEW} (the candidate)" in text
    assert " error_rate   safe     0.0037  0.01  0.005  1000  4 of 1000 failed, live 3 of 9000" in text
    assert " latency_p95  unknown  -       -     -      0     no latency is known" in text
    assert "the last 5 of 9 lines of its history" in text
    assert "line 8" in text
    assert "line 3" not in text


@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_has_a_page_a_row_and_a_line(phase: Phase) -> None:
    one = shown(phase, next_look=None)
    assert all(phase.value in line for line in (table([one], NOW)[1], page(one, NOW)[1]))
    assert progress(one, NOW)


@pytest.mark.parametrize(
    ("phase", "flags", "holds", "told"),
    [
        (Phase.AWAITING_APPROVAL, [], [], ["approves or rejects: python -m rollout approve credit production credit"]),
        (Phase.CANARY, [Flag.PAUSED], [], ["python -m rollout resume credit production credit --reason"]),
        (Phase.CANARY, [Flag.HELD], ["alert-1"], ["its alert to resolve, or a person: python -m rollout resume"]),
        (Phase.CANARY, [Flag.HELD], [], ["python -m rollout retry"]),
        (Phase.CANARY, [Flag.FROZEN], [], ["the end of the freeze"]),
        (Phase.DEPLOYING, [Flag.QUEUED_FOR_TARGET], [], ["the target before it"]),
        (Phase.CANARY, [], [], []),
        (Phase.ROLLING_BACK, [Flag.PAUSED], [], []),
        (Phase.DONE, [Flag.PAUSED], [], []),
    ],
)
def test_what_waits_for_somebody_is_said_with_the_command(
    phase: Phase, flags: list[Flag], holds: list[str], told: list[str]
) -> None:
    found = waits(shown(phase, flags=frozenset(flags), holds=frozenset(holds)))
    assert len(found) == len(told)
    assert all(words in sentence for words, sentence in zip(told, found, strict=True))


def test_progress_is_one_line_with_step_share_and_evidence() -> None:
    line = progress(shown(evidence=(SAFE, BLIND), flags=frozenset({Flag.HELD})), NOW)
    assert line.startswith("canary 10 %  10 %  held  1 of 2 gates safe, 1000 requests  entered ")


def test_what_was_asked_for_and_not_looked_at_yet_is_told_of_a_rollout_that_is_over() -> None:
    one = shown(Phase.DONE) | {"unread": ["start by ann: again"]}
    assert "  asked for  start by ann: again (not looked at yet)" in page(one, NOW)
    assert progress(one, NOW) == "asked for, not looked at yet: start by ann: again"


def test_no_reason_can_command_the_terminal() -> None:
    evil = "\x1b]0;owned\x07\x9b31m\r\nnew line"
    record = standing(Phase.CANARY, reasons=(evil,), evidence=(replace(SAFE, text=evil),))
    one = detail(replace(record, entries=(Entry(NOW, Phase.CANARY, "alert", evil),)))
    for line in (*table([one], NOW), *page(one, NOW), progress(one, NOW)):
        assert line.isprintable(), line
    assert printable("é 10 %") == "é 10 %"


def test_columns_are_as_wide_as_their_widest_cell_and_the_last_is_not_padded() -> None:
    assert columns([["a", "b"], ["long", "c"]]) == ["a     b", "long  c"]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0s"), (59, "59s"), (250, "4m 10s"), (7200, "2h"), (90061, "1d 1h")]
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: int, words: str) -> None:
    assert lasting(timedelta(seconds=seconds)) == words


def test_a_time_says_how_far_it_is() -> None:
    assert when(None, NOW) == "-"
    assert when(stamp(NOW + timedelta(minutes=2)), NOW).endswith("Z (in 2m)")
    assert when(stamp(NOW), NOW).endswith("(due)")
    assert when(stamp(NOW - timedelta(hours=2)), NOW).endswith("(2h ago)")
