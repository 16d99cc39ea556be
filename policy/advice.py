"""What is legal in a policy, but seldom meant: told by `python -m policy check`, never refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from policy.durations import written
from policy.model import Policy, Target
from policy.section import Path
from policy.steps import Canary, Full, Retire, Shadow, Smoke

LOGS_ARE_LATE: Final = timedelta(minutes=5)
"""Rows of Log Analytics arrive within a few minutes as a rule: the newest minutes of a step are judged only then."""

_NEVER_CURED: Final = (
    "would hold the very version that is trained because of the drift: without `drift.baseline` the first window stays "
    "the baseline for ever. Give it a file that the training job replaces"
)


def advice(policy: Policy) -> Iterator[tuple[Path, str]]:
    """(path in the file, what somebody may not have meant), each told once."""
    told = set[tuple[Path, str]]()
    if policy.targets[0].soak:
        yield ("targets", 0, "soak"), "has no effect on the first target: there is none before it"
    for index, target in enumerate(policy.targets):
        for path, message in (*_about_steps(policy.at(target), target), *_about_keys(policy.at(target))):
            own = path[0] in target.model_fields_set
            found = (("targets", index, *path) if own else path, message)
            if found not in told:
                told.add(found)
                yield found


def _about_steps(policy: Policy, target: Target) -> Iterator[tuple[Path, str]]:
    late = written(LOGS_ARE_LATE)
    first = next(i for i, step in enumerate(policy.steps) if isinstance(step, Smoke | Shadow | Canary | Full))
    if isinstance(policy.steps[first], Canary | Full) and target.kind == "online":
        yield ("steps", first), "clients get the very first answers of the new version: begin with a smoke step"
    for index, step in enumerate(policy.steps):
        at: Path = ("steps", index, step.kind)
        if isinstance(step, Smoke) and not step.requests and step.requests_from is None and target.kind == "online":
            yield at, "sends no requests: only that the deployment is up is tested"
        if isinstance(step, Shadow | Canary) and step.at_least < LOGS_ARE_LATE and target.kind == "online":
            yield (
                (*at, "at_least"),
                f"is shorter than {late}, as late as logs arrive: its last requests are not judged",
            )
        if isinstance(step, Full) and not step.bake and any(isinstance(one, Retire) for one in policy.steps):
            yield (*at, "bake"), "is 0s: a version that fails under all of the traffic is found by alerts only"


def _about_keys(policy: Policy) -> Iterator[tuple[Path, str]]:
    retires = any(isinstance(step, Retire) for step in policy.steps)
    if not retires:
        yield ("steps",), "no retire: the old deployment stays up, and costs, until somebody deletes it"
    if policy.keep and not retires:
        yield ("keep",), "has no effect without a retire step: nothing is ever deleted"
    retrains = policy.retrain is not None and "drift" in policy.retrain.after
    moves = policy.drift is None or policy.drift.baseline is not None
    if policy.gates.counting.drift is not None and retrains and not moves:
        yield ("gates", "drift"), _NEVER_CURED
