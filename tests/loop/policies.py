"""The policy that a test's user writes: short, in seconds, with gates wide enough for a small noisy machine."""

from __future__ import annotations

from collections.abc import Sequence

from localcloud.settings import Settings

SHADOW = "shadow: {mirror_percent: 50, at_least: 1s, at_most: 3m}"
CANARY = "canary: {traffic_percent: 50, at_least: 1s, at_most: 3m}"
SLOW_CANARY = "canary: {traffic_percent: 50, at_least: 5s, at_most: 3m}"
"""Long enough for a test to see it and to do something meanwhile."""
LONG_SHADOW = "shadow: {mirror_percent: 50, at_least: 2m, at_most: 3m}"
LONG_CANARY = "canary: {traffic_percent: 50, at_least: 2m, at_most: 3m}"
FULL = "full: {bake: 0s}"
RETIRE = "retire: {after: 0s}"
STEPS = (SHADOW, CANARY, FULL, RETIRE)
ROLL_BACK_ON_ANY = ('{rule: "*", when: fired, do: rollback}',)

TEXT = """\
name: {name}
model:
  name: {model}
targets:
  - name: local
    subscription_id: {settings.subscription_id}
    resource_group: {settings.resource_group}
    workspace: {settings.workspace}
    endpoint: {endpoint}
    log_analytics_workspace_id: {settings.log_analytics_workspace_id}
deployment:
  instance_type: Standard_F2s_v2
  instance_count: 4
steps:
{steps}
failed: {{keep: {keep}}}
gates:
  error_rate: {{harm: 0.05, safe: 0.10}}
  latency_p95: {{harm: 20.0, safe: 30.0, floor: 5s}}
  agreement: {{harm: 0.85, safe: 0.90}}
  min_requests: 8
{gates}
alerts:
{alerts}
{more}"""


def policy_text(
    name: str,
    model: str,
    endpoint: str,
    settings: Settings,
    *,
    steps: Sequence[str] = STEPS,
    alerts: Sequence[str] = ROLL_BACK_ON_ANY,
    keep: str = "1h",
    gates: str = "",
    more: str = "",
) -> str:
    """The policy file's text; `gates` is a line more among them, `more` are further keys."""
    return TEXT.format(
        name=name,
        model=model,
        endpoint=endpoint,
        settings=settings,
        steps="\n".join(f"  - {step}" for step in steps),
        alerts="\n".join(f"  - {alert}" for alert in alerts),
        keep=keep,
        gates=f"  {gates}" if gates else "",
        more=more,
    )
