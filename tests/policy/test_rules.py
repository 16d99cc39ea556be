"""Every rule of the policy file, with the words it says to somebody who broke it (rules.yaml)."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.policy.texts import VALID, complaints, edited

RULES = YAML(typ="safe", pure=True).load(Path(__file__).with_name("rules.yaml"))


def test_the_text_that_the_tests_start_from_is_a_policy() -> None:
    assert complaints(VALID) == []


@pytest.mark.parametrize("broken", RULES, ids=lambda broken: str(broken["rule"]))
def test_a_broken_rule_is_the_one_thing_that_is_told(broken: dict[str, str]) -> None:
    assert complaints(edited((broken["replace"], broken["by"]))) == [broken["says"]]


def test_a_drift_gate_needs_drift() -> None:
    text = edited(
        ("drift: {every: 1h}\nretrain: {job: train.yml}\n", ""), ("gates:\n", "gates:\n  drift: {max_share: 0.3}\n")
    )
    assert complaints(text) == ["gates.drift: needs `drift`: nothing would measure the share"]


def second_target(name: str, endpoint: str) -> str:
    first = VALID[VALID.index("  - name: production") : VALID.index("steps:")]
    return edited(
        ("steps:", edited(("production", name), ("endpoint: credit", f"endpoint: {endpoint}"), text=first) + "steps:")
    )


def test_targets_have_names_of_their_own() -> None:
    expected = "targets[1].name: 'production' is also the name of targets[0]: names are unique"
    assert complaints(second_target("production", "other")) == [expected]


def test_two_targets_cannot_be_the_same_endpoint_even_in_other_letters() -> None:
    assert complaints(second_target("again", "CREDIT")) == [
        "targets[1].endpoint: is the same endpoint as that of targets[0]"
    ]


def test_approval_and_wait_may_stand_anywhere_before_full_and_check_once_there_is_something_to_check() -> None:
    steps = ["- approval: {}", "- wait: {at_least: 1m}", "- check: {}"]
    for before, may in (("- smoke", steps[:2]), ("- shadow", steps[:2]), ("- canary", steps), ("- full", steps)):
        text = edited((f"  {before}", "".join(f"  {step}\n" for step in may) + f"  {before}"))
        assert complaints(text) == [], before


def test_a_step_whose_settings_all_have_defaults_may_leave_them_out() -> None:
    assert complaints(edited(("- full: {bake: 1h}", "- full:"))) == []
