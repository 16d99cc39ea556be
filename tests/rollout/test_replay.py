"""A rollout decided again from its looks: the same decisions, byte for byte, or where they first differ."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rollout.__main__ import main
from rollout.looks import block_of
from rollout.replay import Unreplayable, replay
from tests.rollout import journey
from tests.rollout.azure import Loop
from tests.rollout.journey import HOUR, UNDER_WAY
from tests.rollout.world import HARM, NEW, PACE, PLACE, SAFE, UNKNOWN, V1, V2, V3, alert, command, evidence, versions

File = dict[str, Any]


def rolled_back() -> Loop:
    loop = journey.in_canary()
    loop.look(evidence=HARM)
    loop.look()
    loop.until_read_back()
    return loop


def back_after_done() -> Loop:
    loop = journey.before_retirement()
    loop.look(alerts=(alert("rollback"),))
    loop.until_read_back()
    return loop


def superseded() -> Loop:
    loop = journey.in_canary()
    loop.look(versions=versions(V1, V2, V3))
    loop.until_read_back()
    loop.look(versions=versions(V1, V2, V3))
    loop.look()
    return loop


def refused_for_a_while() -> Loop:
    loop = journey.in_shadow()
    loop.look(2 * HOUR, evidence=SAFE)
    loop.look(evidence=HARM, conflict=True)
    loop.look(conflict=True)
    loop.until_read_back()
    return loop


def held_and_resumed() -> Loop:
    loop = journey.in_canary()
    loop.look(alerts=(alert("hold"),), evidence=UNKNOWN)
    loop.look(commands=(command("resume"),), evidence=SAFE, trouble=("429 too many requests",))
    loop.look(HOUR, evidence=SAFE)
    return loop


STORIES: dict[str, Callable[[], Loop]] = {
    **{f"under way: {phase}": make for phase, make in UNDER_WAY.items()},
    "done": journey.done,
    "rolled back": rolled_back,
    "superseded": superseded,
    "refused for a while": refused_for_a_while,
    "held and resumed": held_and_resumed,
    "back after done": back_after_done,
}


def stored(file: File) -> File:
    """The file as it comes back from its blob."""
    loaded: File = json.loads(json.dumps(file))
    return loaded


@pytest.mark.parametrize("make", STORIES.values(), ids=STORIES)
def test_a_rollout_is_decided_the_same_again(make: Callable[[], Loop]) -> None:
    loop = make()
    ends = []
    for file in loop.files():
        again = list(replay(stored(file), read=lambda *_: (PLACE, loop.policy)))

        assert [one.difference for one in again] == [""] * len(file["looks"])
        ends += [one.record.phase for one in again[-1:] if one.record]
    assert ends[-1:] == [loop.phase()]


def canary_file() -> File:
    """Version 2 is promoted after a canary with 3 of 1000 failed requests: up to 0.5 % more than live is safe."""
    loop = journey.in_canary()
    for _ in range(12):
        loop.look(evidence=evidence(candidate=(1000, 3)))
    loop.look(HOUR, evidence=evidence(candidate=(1000, 3)))
    (file,) = loop.files()
    assert file.pop("began_with") == file["policy_text"]  # told apart only where a later look changed the policy
    return stored(file)


def test_given_a_stricter_gate_in_the_files_policy_then_the_first_look_that_it_changes_is_shown() -> None:
    file = canary_file()
    assert "gates" not in file["policy_text"]
    file["policy_text"] += "gates: {error_rate: {harm: 0.001, safe: 0.002}}\n"

    *same, other = replay(file)

    assert not any(one.difference for one in same)
    removed, added = ([x for x in other.difference.splitlines() if x.startswith(sign)] for sign in "-+")
    assert any("harm above a rise of 1.00%" in line for line in removed)
    assert any("harm above a rise of 0.20%" in line for line in added)


def test_given_changed_evidence_in_the_file_then_the_replay_shows_it() -> None:
    file = canary_file()
    line = next(line for line in file["looks"] if line.get("seen", {}).get("evidence"))
    line["seen"]["evidence"]["candidate"]["errors"] = 4

    (*_, last) = replay(file)

    assert "+" in last.difference
    assert "4 of 1000 failed" in last.difference


def test_a_file_of_an_older_build_which_knew_less_of_a_record_replays() -> None:
    """A line has nothing that is at its default, so that a field that is new today was not missing then."""
    record = canary_file()["looks"][0]["record"]

    assert record["phase"] == "deploying"
    assert not {"mirror", "harm_seen", "refused", "evidence", "basis", "blocked_seconds"} & set(record)


def test_a_line_that_was_appended_twice_is_taken_once() -> None:
    file = canary_file()
    file["looks"][3:3] = file["looks"][1:3]

    assert [one.look for one in replay(file)] == list(range(1, len(file["looks"]) - 1))


def test_lost_lines_are_told_and_not_guessed() -> None:
    file = canary_file()
    starts = [number for number, line in enumerate(file["looks"]) if "seen" in line]
    del file["looks"][2 : starts[1]]

    with pytest.raises(Unreplayable, match=f"looks 3 to {starts[1]} were lost"):
        list(replay(file))


@pytest.mark.parametrize("looks", [None, [], "gone"])
def test_a_file_without_looks_says_which_file_has_them(looks: Any) -> None:
    with pytest.raises(Unreplayable, match=r"history/.*<n>\.json"):
        list(replay({"policy": "credit", "looks": looks}))


def run(file: File | str, folder: Path) -> int:
    path = folder / "1.json"
    path.write_text(file if isinstance(file, str) else json.dumps(file))
    return main(["replay", str(path)])


def test_the_command_prints_each_look_and_exits_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(rolled_back().files()[0], tmp_path) == 0

    told = capsys.readouterr().out
    assert "rolling_back" in told
    assert "decision: going back: error_rate: 100 of 1000 failed" in told
    assert "SetTraffic" in told
    assert NEW in told
    assert "evidence 2026-05-04T11:50:00 to 2026-05-04T12:00:00: live 1000 requests, 0 failed; candidate 1000" in told
    assert told.rstrip().endswith("looks: each decided the same again, byte for byte")


def test_the_command_exits_1_with_the_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = canary_file()
    file["policy_text"] += "gates: {error_rate: {harm: 0.001, safe: 0.002}}\n"

    assert run(file, tmp_path) == 1
    assert "is decided otherwise now:\n--- recorded\n+++ decided again" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be replayed"),
        ("[]", "it is no JSON object"),
        ('{"policy": "p", "target": "t", "endpoint": "e", "number": 1, "version": "1"}', "it has no `looks`"),
        ('{"looks": []}', "it has no 'policy'"),
    ],
)
def test_the_command_exits_2_for_what_is_no_finished_rollout(
    text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(text, tmp_path) == 2
    assert words in capsys.readouterr().err


def test_a_look_costs_less_than_600_bytes_in_the_history() -> None:
    """Measured on a canary under way: what is appended, compressed, for each look of a long wait."""
    loop = journey.in_canary()
    first = len(loop.history)
    for number in range(100):
        seen = evidence(candidate=(1000 + 7 * number, number // 9), live=(9000 + 61 * number, number // 5))
        loop.look(PACE / 2, evidence=seen)
    lines = [line for _, line in loop.history[first:]]

    assert len(lines) > 80
    assert sum(len(block_of(tuple(lines[at : at + 10]))) for at in range(0, len(lines), 10)) / len(lines) < 600
