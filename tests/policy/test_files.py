"""The files that come with the policy room: examples, schema, reference, command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from policy import reference, schema
from policy.__main__ import main
from policy.load import load
from policy.model import AlertRule, Canary, Policy, Shadow
from tests.policy.texts import VALID, edited

ROOT = Path(__file__).parents[2]
CONTRACT = Path(__file__).with_name("contract.yaml")
EXAMPLES = [*sorted((ROOT / "policies").rglob("*.yaml")), CONTRACT]


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_every_example_is_a_policy_and_fits_the_schema(file: Path) -> None:
    assert load(file.read_bytes(), file.name)
    jsonschema.validate(YAML(typ="safe", pure=True).load(file.read_text("utf-8")), schema.schema())


def test_the_contract_example_means_what_it_says() -> None:
    policy = load(CONTRACT.read_bytes(), "contract.yaml")
    assert [step.kind for step in policy.steps] == ["smoke", "shadow", "canary", "approval", "canary", "full", "retire"]
    assert [step.mirror_percent for step in policy.steps if isinstance(step, Shadow)] == [20]
    assert [step.traffic_percent for step in policy.steps if isinstance(step, Canary)] == [10, 50]
    assert policy.alerts[1] == AlertRule(rule="*latency*", when="fired", do="hold")


def test_a_text_is_read_once_for_all_looks_that_need_it() -> None:
    assert load(VALID, "credit.yaml", rules=False) is load(VALID, "credit.yaml", rules=False)
    assert load(VALID, "credit.yaml", rules=False) == load(VALID, "other.yaml")


def test_a_policy_is_written_and_read_again_without_loss() -> None:
    policy = load(CONTRACT.read_bytes(), "contract.yaml")
    written = json.dumps(policy.model_dump(mode="json"))
    assert Policy.model_validate(json.loads(written)) == policy
    assert load(written, "json is yaml") == policy


@pytest.mark.parametrize(
    "edit",
    [
        ("mirror_percent: 20", "mirror_percent: 51"),
        ("bake: 1h", "bake: 1h30m"),
        ("do: hold", "do: stop"),
        ("- retire:", "- retrie:"),
        ("    workspace: ml-prod\n", ""),
        ("name: credit\n", "name: Credit\n"),
    ],
)
def test_an_editor_with_the_schema_sees_what_the_loader_sees(edit: tuple[str, str]) -> None:
    content = YAML(typ="safe", pure=True).load(edited(edit))
    assert list(jsonschema.Draft202012Validator(schema.schema()).iter_errors(content))


def test_the_schema_is_a_schema_and_takes_what_the_loader_takes() -> None:
    jsonschema.Draft202012Validator.check_schema(schema.schema())
    jsonschema.validate(YAML(typ="safe", pure=True).load(edited(("- full: {bake: 1h}", "- full:"))), schema.schema())


def test_the_committed_schema_is_up_to_date() -> None:
    assert schema.FILE.read_text("utf-8") == schema.text(), "run: python -m policy schema"


def test_the_committed_reference_is_up_to_date() -> None:
    assert reference.FILE.read_text("utf-8") == reference.text(), "run: python -m policy reference"


def test_check_says_nothing_bad_of_good_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", *(str(file) for file in EXAMPLES[:-1])]) == 0
    assert capsys.readouterr().out == f"{len(EXAMPLES[:-1])} policies: no problems\n"


def test_check_prints_every_problem_of_every_file_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad, gone = tmp_path / "credit.yaml", tmp_path / "bad.yaml", tmp_path / "gone.yaml"
    good.write_text(VALID)
    bad.write_text(edited(("mirror_percent: 20", "mirror_percent: 51"), ("bake: 1h", "bake: 1")))
    assert main(["check", str(good), str(bad), str(gone)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{bad}:13:30: steps[1].shadow.mirror_percent: must be at most 50, not 51",
        f"{bad}:16:18: steps[4].full.bake: a duration needs a unit: write 1s, 1m, 1h or 1d",
        f"{gone}: cannot be read: No such file or directory",
    ]


def test_check_tells_of_two_policies_that_want_one_endpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = tmp_path / "credit.yaml", tmp_path / "other.yaml"
    one.write_text(VALID)
    other.write_text(edited(("name: credit\n", "name: other\n")))
    assert main(["check", str(one), str(other)]) == 1
    assert capsys.readouterr().err == (
        f"{other}:9:15: targets[0].endpoint: credit (target production) and other (target production) could both want"
        " endpoint 'credit' in workspace 'ml-prod': an endpoint belongs to one policy\n"
    )


def test_check_warns_of_a_file_that_would_be_refused_under_its_own_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "churn.yaml"
    file.write_text(VALID)
    assert main(["check", str(file)]) == 0
    assert capsys.readouterr().err == (
        f"{file}:1:7: name: warning: uploaded as churn.yaml it would be refused: the blob of this policy is"
        " credit.yaml\n"
    )


def test_reading_a_policy_loads_nothing_heavy() -> None:
    script = (
        "import sys; from policy.load import load; load(open(sys.argv[1], 'rb').read(), 'x');"
        "heavy = {'azure', 'pandas', 'evidently', 'pyarrow', 'jinja2', 'policy.schema', 'policy.explain'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(CONTRACT)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
