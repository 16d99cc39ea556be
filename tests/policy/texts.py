"""The policy text that the tests start from: valid, short, and with a part for every rule."""

from __future__ import annotations

from policy.load import PolicyError, Problem, load

VALID = """\
name: credit
model:
  name: credit-card
targets:
  - name: production
    subscription_id: 00000000-0000-0000-0000-000000000001
    resource_group: rg-ml
    workspace: ml-prod
    endpoint: credit
    log_analytics_workspace_id: 00000000-0000-0000-0000-000000000002
steps:
  - smoke: {requests: [{data: [1]}], max_latency: 2s}
  - shadow: {mirror_percent: 20, at_least: 1h, at_most: 24h}
  - canary: {traffic_percent: 10}
  - canary: {traffic_percent: 50}
  - full: {bake: 1h}
  - retire: {after: 1d}
gates:
  error_rate: {harm: 0.005, safe: 0.01}
  agreement: {harm: 0.95, safe: 0.97}
alerts:
  - {rule: "*latency*", do: hold}
  - {rule: "*", do: rollback}
export: {every: 15m}
drift: {every: 1h}
retrain: {job: train.yml}
"""


def edited(*edits: tuple[str, str], text: str = VALID) -> str:
    """`text` with each first string, which must be there, replaced by the second."""
    for old, new in edits:
        assert old in text, f"{old!r} is not in the text"
        text = text.replace(old, new, 1)
    return text


def problems(text: str | bytes) -> tuple[Problem, ...]:
    """What loading `text` complains about; none when it loads."""
    try:
        load(text, "credit.yaml")
    except PolicyError as wrong:
        return wrong.problems
    return ()


def complaints(text: str | bytes) -> list[str]:
    """The same as `field: message` lines."""
    return [f"{problem.field}: {problem.message}" for problem in problems(text)]
