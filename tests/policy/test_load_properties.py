"""Whatever the text, loading ends in a policy or in problems that point into the text."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from policy.load import PolicyError, load
from policy.model import Policy
from tests.policy.texts import VALID, edited

SNIPPETS = [
    "{",
    "}",
    "[",
    "]",
    ": ",
    "- ",
    "\n",
    "  ",
    "\t",
    "&a ",
    "*a",
    "!!int ",
    "!x ",
    "'",
    '"',
    "|",
    ">",
    "%",
    "? ",
    "~",
    "<<: ",
    "---",
    "...",
]
VALUES = [
    "1",
    "-1",
    "1e999",
    ".inf",
    "true",
    "null",
    "0x1f",
    "0o9",
    "1_0",
    "2026-01-01",
    "10:30",
    "1h",
    "15m",
    "*",
    "{model}",
    "é",
]


OVERRIDDEN = edited(
    (
        "    endpoint: credit\n",
        """\
    endpoint: credit
    soak: 1h
    mode: observe
    gates: {agreement: null, min_requests: 9, latency_p95: {harm: 2.0, safe: 3.0}}
    deployment: {instance_count: 3, environment_variables: {A: b}}
    steps:
      - smoke: {requests: [1], expect: {schema: {type: object}, values: [{}]}}
      - canary: {traffic_percent: 5}
      - full:
    alerts: [{rule: a, do: hold}]
    freeze: [{days: [fri, sat], from: "16:00", to: "24:00", time_zone: Europe/Amsterdam, reason: r}]
""",
    )
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A valid text with some of its stretches cut out, doubled or overwritten."""
    text = draw(st.sampled_from([VALID, OVERRIDDEN]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        text = text[:start] + draw(st.sampled_from([*SNIPPETS, *VALUES, "", text[start:end] * 2])) + text[end:]
    return text


def test_the_text_with_overrides_is_a_policy() -> None:
    at = load(OVERRIDDEN, "any.yaml").at("production")
    assert (at.mode, at.gates.min_requests, at.gates.agreement, len(at.steps)) == ("observe", 9, None, 3)


def ends_well(text: str | bytes) -> None:
    try:
        policy = load(text, "any.yaml")
    except PolicyError as wrong:
        told = wrong.problems
    else:
        assert Policy.model_validate(policy.model_dump(mode="json")) == policy
        for target in policy.targets:
            at = policy.at(target)
            assert Policy.model_validate(at.model_dump(mode="json")) == at
            assert at.at(target) == at
        return
    assert told
    assert all(problem.line >= 1 and problem.column >= 1 and problem.message for problem in told)


@given(st.text())
def test_any_text_loads_or_is_refused_with_problems(text: str) -> None:
    ends_well(text)


@given(st.binary())
def test_any_bytes_load_or_are_refused_with_problems(raw: bytes) -> None:
    ends_well(raw)


@given(st.lists(st.sampled_from([*SNIPPETS, *VALUES, "name", "steps", "full"]), max_size=25).map("".join))
def test_any_mixture_of_yaml_signs_loads_or_is_refused_with_problems(text: str) -> None:
    ends_well(text)


@given(damaged())
@settings(max_examples=200, deadline=None)
def test_any_damage_to_a_policy_loads_or_is_refused_with_problems(text: str) -> None:
    ends_well(text)
