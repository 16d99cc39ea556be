"""`python -m policy doctor`: prove a policy against the real subscription before its first rollout.

It asks as whoever runs it: in the app's own environment that is the app's identity, which is what a rollout will have;
in an engineer's shell it is the engineer, and the report says so. It writes one blob and one queue message of its own
to the app's storage and takes both away again; nothing else is changed.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from cloud.access import Access
from cloud.errors import CloudError
from cloud.identity import signed_in
from cloud.settings import Settings, SettingsError
from policy.load import load
from policy.match import by_endpoint, watches
from policy.model import Policy, Target
from policy.problems import PolicyError
from rollout.context import Context
from rollout.doctor.examine import Others, examine, shared
from rollout.doctor.finding import Check, bad
from rollout.doctor.report import stops, table, to_json
from rollout.shell import Shell
from rollout.versions import crowded, model_place
from rollout.wiring import wired

MOST_ENDPOINTS = 5
"""Of a wildcard's endpoints so many are looked at, unless one is named: they are made alike."""
WRONG = 2


class Unknown(Exception):
    """There is no such policy; the text says which there are."""


def run(name: str, endpoint: str, *, as_json: bool, shell: Shell, others: Others) -> int:
    """Print the report; 0 when a rollout could start, 1 when not, 2 when the question was wrong."""
    try:
        of = Settings.from_env(shell.environment)
        context = wired(of, signed_in(shell.environment), clock=shell.clock, new_id=shell.new_id, wait=_never)
        policy = _policy(context, name)
        caller = Access(context.arm).caller()
        report = _report(context, of, policy, endpoint, others)
    except (SettingsError, PolicyError, Unknown) as error:
        print(error, file=sys.stderr)
        return WRONG
    except CloudError as error:
        print(error, file=sys.stderr)
        return 1
    who = f"{caller.name} ({caller.object_id})"
    print(to_json(policy.name, who, report) if as_json else f"policy {policy.name}, as {who}\n\n{table(report)}")
    return 1 if stops(report) else 0


def _policy(context: Context, name: str) -> Policy:
    """The policy in the file of this name, or the one in force."""
    if Path(name).is_file():
        return load(Path(name).read_bytes(), name)
    in_force = context.policies.refresh()
    if name in in_force.policies:
        return in_force.policies[name]
    wrong = in_force.errors.get(name)
    known = ", ".join(sorted(in_force.policies)) or "none"
    raise Unknown(wrong or f"{name} is neither a file nor a policy in force; in force: {known}")


def _report(
    context: Context, of: Settings, policy: Policy, endpoint: str, others: Others
) -> Mapping[str, tuple[Check, ...]]:
    report: dict[str, tuple[Check, ...]] = {"the app": shared(context, of)}
    for target in policy.targets:
        found = _endpoints(context, policy, target)
        chosen = {name: models for name, models in found.items() if endpoint in ("", name)}
        if not chosen:
            report[f"target {target.name}"] = (_nothing(policy, endpoint),)
        for name, models in list(chosen.items())[:MOST_ENDPOINTS]:
            subject = f"target {target.name}, {target.kind} endpoint {name}"
            checks = examine(context, policy, target, name, models[0], others)
            alone = () if len(models) == 1 else (bad("models", crowded(name, models)),)
            report[subject] = (*alone, *checks)
    return report


def _endpoints(context: Context, policy: Policy, target: Target) -> dict[str, tuple[str, ...]]:
    """Each endpoint of the target with its models; a wildcard's are those of the models that are registered."""
    names = [policy.model.name]
    if policy.model.is_wildcard:
        names = [name for name in context.models.names(model_place(policy, target)) if watches(policy, name)]
    return by_endpoint(target, names)


def _nothing(policy: Policy, endpoint: str) -> Check:
    asked = f"no endpoint {endpoint}" if endpoint else f"no model that matches {policy.model.name} is registered"
    return bad("endpoint", asked)


def _never(_seconds: float) -> None:
    """Nothing here waits for a lease."""
