"""What `policy check` warns of, and that a warning fails nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from policy.__main__ import main
from policy.load import examine
from tests.policy.test_effective_rules import BATCH, at_target, with_steps
from tests.policy.texts import VALID, edited


def warnings(text: str) -> list[str]:
    """What is said of a valid text, as `line: field: message`."""
    return [f"{one.line}: {one.field}: {one.message}" for one in examine(text, "credit.yaml")[1]]


def test_there_is_nothing_to_say_of_a_usual_policy() -> None:
    assert warnings(VALID) == []


@pytest.mark.parametrize(
    ("steps", "warned"),
    [
        (("canary: {traffic_percent: 5}", "full: {}", "retire: {}"), "12: steps[0]: warning: clients get"),
        (
            ("smoke: {}", "shadow: {mirror_percent: 5}", "full: {}", "retire: {}"),
            "12: steps[0].smoke: warning: sends",
        ),
        (
            ("shadow: {mirror_percent: 5, at_least: 1m}", "full: {}", "retire: {}"),
            "12: steps[0].shadow.at_least: warning: is shorter than 5m",
        ),
        (("shadow: {mirror_percent: 5}", "full: {bake: 0s}", "retire: {}"), "13: steps[1].full.bake: warning: is 0s"),
        (("shadow: {mirror_percent: 5}", "full: {}"), "12: steps: warning: no retire: the old deployment stays up"),
    ],
)
def test_what_is_legal_but_seldom_meant_is_told_where_it_stands(steps: tuple[str, ...], warned: str) -> None:
    (told,) = warnings(with_steps(*steps))
    assert told.startswith(warned)


def test_keys_without_effect_are_told() -> None:
    no_retire = with_steps("shadow: {mirror_percent: 5}", "full: {}")
    assert [line.split(" warning: ")[1] for line in warnings(at_target("keep: 2\nsoak: 1h", no_retire))] == [
        "has no effect without a retire step: nothing is ever deleted",
        "has no effect on the first target: there is none before it",
        "no retire: the old deployment stays up, and costs, until somebody deletes it",
    ]


def test_a_drift_gate_that_would_hold_the_version_that_drift_caused_is_told() -> None:
    gated = edited(("gates:\n", "gates:\n  drift: {max_share: 0.3}\n"))
    (told,) = warnings(gated)
    assert told.startswith("19: gates.drift: warning: would hold the very version that is trained because of the drift")

    baseline = edited(("drift: {every: 1h}", "drift: {baseline: azureml://datastores/d/paths/b.csv}"), text=gated)
    assert warnings(baseline) == []
    assert warnings(edited(("job: train.yml", "job: train.yml, after: [alert]"), text=gated)) == []


def test_a_batch_target_is_not_told_of_traffic() -> None:
    assert warnings(at_target(BATCH, with_steps("smoke: {}", "check: {}", "full: {}", "retire: {}"))) == []


def test_check_prints_warnings_and_succeeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "credit.yaml"
    file.write_text(edited(("  - retire: {after: 1d}\n", "")))
    assert main(["check", str(file)]) == 0
    printed = capsys.readouterr()
    assert printed.out == "1 policy: no problems\n"
    assert printed.err.startswith(f"{file}:12:3: steps: warning: no retire")
