"""Questions that the other rooms ask of a policy: is this model ours, where does it go, what does this alert do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from policy.model import MODEL, Action, Policy, Target


def watches(policy: Policy, model_name: str) -> bool:
    """Whether versions of `model_name` are rolled out by `policy`. Azure's model names are case-sensitive."""
    return _glob(policy.model.name, False).fullmatch(model_name) is not None


def endpoint_name(target: Target, model_name: str) -> str:
    """The endpoint of `target` for `model_name`; `_` and `.`, which Azure allows only in models, become dashes."""
    return target.endpoint.replace(MODEL, re.sub(r"[._]", "-", model_name))


def by_endpoint(target: Target, model_names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The models by the endpoint they go to, in lower case as Azure tells it apart: more than one is a mistake."""
    found: dict[str, tuple[str, ...]] = {}
    for name in model_names:
        endpoint = endpoint_name(target, name).lower()
        found[endpoint] = (*found.get(endpoint, ()), name)
    return found


def places(policy: Policy, model_name: str) -> tuple[tuple[Target, str], ...]:
    """Each target with its endpoint for `model_name`, in the order of release; empty when the model is not watched."""
    if not watches(policy, model_name):
        return ()
    return tuple((target, endpoint_name(target, model_name)) for target in policy.targets)


def endpoint_id(target: Target, endpoint: str) -> str:
    """The endpoint's ARM id in lower case: its key everywhere."""
    return (
        f"/subscriptions/{target.subscription_id}/resourceGroups/{target.resource_group}/providers/"
        f"Microsoft.MachineLearningServices/workspaces/{target.workspace}/{target.kind}Endpoints/{endpoint}"
    ).lower()


def alert_action(policy: Policy, rule_name: str, condition: str) -> Action | None:
    """What the first rule that matches says (`condition`: Fired or Resolved, in any case); None: no rule matches."""
    for alert in policy.alerts:
        if alert.when == condition.lower() and _glob(alert.rule, True).fullmatch(rule_name):
            return alert.do
    return None


@lru_cache(maxsize=1024)
def _glob(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    # Not fnmatch: there `[` opens a set of characters, and alert rules have names such as "latency [prod]".
    parts = (".*" if part == "*" else "." if part == "?" else re.escape(part) for part in re.split(r"([*?])", pattern))
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))
