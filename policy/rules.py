"""Rules of the policy in effect at each target: what no part of it could tell by itself.

They keep a policy from promising a check that could never be made. A rollout in flight is not judged by them again:
a rule that is newer than its policy must not take the way back away (`load(..., rules=False)`).
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.model import Policy, Target
from policy.section import Path
from policy.steps import Approval, Canary, Check, Full, Shadow

Broken = tuple[Path, str]


def broken(policy: Policy) -> Iterator[Broken]:
    """(path in the file, what is wrong) for each rule that is broken, each told once."""
    told = set[str]()
    for index, target in enumerate(policy.targets):
        at = ("targets", index)
        for path, message in _at(policy.at(target), target):
            whose = (*at, *path) if path and path[0] in target.model_fields_set else path
            place = f" (at target {target.name})" if whose == path and len(policy.targets) > 1 else ""
            if message not in told:
                told.add(message)
                yield whose, f"{message}{place}"


def _at(policy: Policy, target: Target) -> Iterator[Broken]:
    """What is wrong with the policy in effect at a target; paths are those of a policy without overrides."""
    gates, batch = policy.gates.counting, target.kind == "batch"
    unpaired = gates.error_rate is None and gates.latency_p95 is None
    if unpaired and gates.agreement is None:
        yield (("gates", "dry_run"), _ALL_DRY) if policy.gates.dry_run else (("gates",), _NO_GATE)
        return
    if batch and gates.error_rate is None and gates.agreement is None:
        yield ("gates",), "batch jobs are judged by their rows, not by their time: turn on agreement or error_rate"
    if not batch and target.log_analytics_workspace_id is None:
        where = ("targets", policy.targets.index(target))
        yield where, "needs log_analytics_workspace_id: without its logs no gate could ever judge a version here"
    if batch and policy.gates.queries:
        yield ("gates", "queries"), "have nothing to count on a batch endpoint: its jobs are judged by their rows"
    if policy.gates.drift is not None and policy.drift is None:
        yield ("gates", "drift"), "needs `drift`: nothing would measure the share"
    yield from _unasked_gates(policy, batch=batch)
    for index, alert in enumerate(policy.alerts):
        if alert.do == "retrain" and policy.retrain is None:
            yield ("alerts", index, "do"), "needs `retrain`: there is no job to start"
    yield from _unmet_hooks(policy)
    if unpaired and not batch and not any(isinstance(step, Shadow) for step in policy.steps):
        yield ("gates", "agreement"), _UNPAIRED
        return
    yield from _unjudged_steps(policy, unpaired=unpaired, batch=batch)
    if not _is_judged(policy, unpaired=unpaired, batch=batch):
        yield ("steps",), _BY_THE_CLOCK


_NO_GATE = (
    "no promotion gate remains: keep at least one of error_rate, latency_p95 and agreement, or every version would pass"
)
_ALL_DRY = (
    "leaves no promotion gate that counts: at least one of error_rate, latency_p95 and agreement has to, or every "
    "version would pass"
)
_UNPAIRED = (
    "agreement is judged on mirrored requests, and there is no shadow step: "
    "add one, or turn on error_rate or latency_p95"
)
_NO_DRIFT = "the drift of a batch endpoint is not measured"
_NO_MACHINES = "a batch deployment has no machines of its own"
_HOLDS_NOTHING = "holds nothing, for there is no shadow, canary or check step: add one, or drop the gate"
_NO_REQUESTS = "has no effect on a batch endpoint: it is judged on the target's `sample`"
_BY_THE_CLOCK = (
    "nothing would judge a version before it is released: add a shadow, canary, check or approval step before full, "
    "or a bake longer than 0s with error_rate or latency_p95 to judge it by"
)


def _unmet_hooks(policy: Policy) -> Iterator[Broken]:
    """Hooks that would never be asked, though whoever wrote them counts on it."""
    kinds = {"start", *(step.kind for step in policy.steps)}
    for index, hook in enumerate(policy.hooks):
        for at, kind in enumerate(hook.before):
            if kind not in kinds:
                yield ("hooks", index, "before", at), f"there is no {kind} step: {hook.name} would never be asked"


def _unasked_gates(policy: Policy, *, batch: bool) -> Iterator[Broken]:
    """Gates that look as if they guarded and could not."""
    gates = policy.gates
    for gate, why in (("drift", _NO_DRIFT), ("cost", _NO_MACHINES)):
        if batch and getattr(gates, gate) is not None:
            yield ("gates", gate), f"{why}: write `{gate}: null` under the target's `gates`"
    if gates.drift is not None and not batch and not any(isinstance(s, Shadow | Canary | Check) for s in policy.steps):
        yield ("gates", "drift"), _HOLDS_NOTHING


def _unjudged_steps(policy: Policy, *, unpaired: bool, batch: bool) -> Iterator[Broken]:
    """Steps that wait for evidence which can never come: they would hold at their deadline and go back."""
    mirrored = shared = False
    for index, step in enumerate(policy.steps):
        at = ("steps", index, step.kind)
        if isinstance(step, Shadow):
            mirrored = True
        elif isinstance(step, Canary) and not batch:
            mirrored, shared = False, True
            if unpaired:
                yield at, "cannot be judged by agreement alone, for its requests are answered once: turn on error_rate"
        elif isinstance(step, Check) and not batch:
            if not mirrored and not shared:
                yield at, "has nothing to judge: before the first shadow or canary the new version gets no requests"
            elif unpaired and not mirrored:
                yield at, "cannot be judged by agreement alone after a canary: turn on error_rate or latency_p95"
        if batch and isinstance(step, Shadow | Canary) and step.load is not None:
            yield (*at, "load"), _NO_REQUESTS
        if batch and isinstance(step, Shadow | Canary | Full) and step.warm_up is not None:
            yield (*at, "warm_up"), _NO_REQUESTS


def _is_judged(policy: Policy, *, unpaired: bool, batch: bool) -> bool:
    """Whether something besides the clock stands between a new version and its release."""
    judges = (Shadow, Check, Approval) if batch else (Shadow, Canary, Check, Approval)
    if any(isinstance(step, judges) for step in policy.steps):
        return True
    # With all of the traffic on it a bake goes back on harm; a version that nothing can judge is simply released.
    return any(isinstance(step, Full) and step.bake and not unpaired and not batch for step in policy.steps)
