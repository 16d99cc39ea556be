"""Every problem is told, at the line and column where the user has to mend it."""

from __future__ import annotations

import pytest

from tests.policy.texts import VALID, edited, problems


def places(text: str | bytes) -> list[tuple[int, int, str]]:
    return [(problem.line, problem.column, problem.field) for problem in problems(text)]


def test_a_wrong_value_is_told_at_the_value() -> None:
    text = edited(("mirror_percent: 20", "mirror_percent: 51"))
    assert places(text) == [(13, 30, "steps[1].shadow.mirror_percent")]


def test_an_unknown_key_is_told_at_the_key() -> None:
    assert places(edited(("at_most: 24h", "at_mots: 24h"))) == [(13, 48, "steps[1].shadow.at_mots")]


def test_a_missing_key_is_told_at_what_should_have_held_it() -> None:
    assert places(edited(("    workspace: ml-prod\n", ""))) == [(5, 5, "targets[0].workspace")]
    assert places(edited(("{job: train.yml}", "{}"))) == [(26, 1, "retrain.job")]


def test_the_second_of_two_equal_keys_is_told() -> None:
    assert places(edited(("    workspace: ml-prod\n", "    workspace: ml-prod\n    workspace: b\n"))) == [
        (9, 5, "targets[0].workspace")
    ]


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    text = edited(
        ("name: credit\n", "name: Credit\n"),
        ("mirror_percent: 20", "mirror_percent: 51"),
        ("do: hold", "do: stop"),
        ("export: {every: 15m}\n", ""),
        ("train.yml", "train.yml, cool: 1h"),
    )
    assert [field for _, _, field in places(text)] == [
        "name",
        "steps[1].shadow.mirror_percent",
        "alerts[0].do",
        "drift",
        "retrain.cool",
    ]


def test_a_problem_reads_as_an_editor_can_follow_it() -> None:
    (problem,) = problems(edited(("mirror_percent: 20", "mirror_percent: 51")))
    assert str(problem) == "credit.yaml:13:30: steps[1].shadow.mirror_percent: must be at most 50, not 51"


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        pytest.param("", 1, 1, "the file is empty", id="empty"),
        pytest.param("# only a comment\n", 1, 1, "the file is empty", id="only a comment"),
        pytest.param("- name: x\n", 1, 1, "this is a list", id="list at the top"),
        pytest.param("\nhello\n", 2, 1, "this is a single value", id="single value"),
        pytest.param("name: x\nmodel:\n\tname: y\n", 3, 1, "a tab: YAML is indented with spaces", id="tab"),
        pytest.param(b"name: caf\xe9\n", 1, 10, "not UTF-8", id="Latin-1"),
        pytest.param("name: x\n".encode("utf-16"), 1, 1, "not UTF-8", id="UTF-16"),
        pytest.param("name: a\nmodel: \x00\n", 2, 8, "U+0000 is not allowed", id="control character"),
        pytest.param("name: a: b\n", 1, 8, "a second `:` in one line", id="two colons"),
        pytest.param("name: x\n---\nname: y\n", 2, 1, "one file holds one policy", id="two documents"),
        pytest.param("a: [1, 2\n", 2, 1, "not YAML", id="unclosed list"),
        pytest.param("x: &a [*a]\n", 1, 4, "an alias inside what it stands for", id="alias inside itself"),
        pytest.param("a: *nobody\n", 1, 4, "not YAML: found undefined alias", id="unknown alias"),
        pytest.param("[" * 5000, 1, 1, "nested too deeply", id="deep"),
        pytest.param("a: 1\n" * 100_000, 1, 1, "larger than 256 KB", id="huge"),
    ],
)
def test_what_is_not_a_policy_at_all_is_told_in_one_clear_problem(
    text: str | bytes, line: int, column: int, says: str
) -> None:
    (problem,) = problems(text)
    assert says in problem.message
    assert (problem.line, problem.column) == (line, column)


def test_a_short_text_cannot_grow_large_through_aliases() -> None:
    layers = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 9))
    (problem,) = problems(f"l0: &l0 [x]\n{layers}\n")
    assert problem.message == "too large to be a policy"


def test_a_byte_order_mark_is_no_problem() -> None:
    assert places(VALID.encode("utf-8-sig")) == []


def test_keys_and_words_that_older_yaml_takes_for_true_stay_words() -> None:
    text = edited(("model:\n", 'model:\n  require_tags: {on: "yes", off: no}\n'))
    assert problems(text) == ()
