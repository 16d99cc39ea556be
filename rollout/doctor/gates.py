"""Can the gates beside the requests judge: is the price known, is the baseline there, is drift measured?"""

from __future__ import annotations

from cloud.errors import CloudError
from cloud.models import Place as Workspace
from rollout.cost_gate import compared, is_too_dear
from rollout.doctor.case import Case
from rollout.doctor.finding import Check, bad, doubtful, good
from rollout.drift_gate import drift_finding
from rollout.gate_reads import instance_type, priced, read_drift
from rollout.verdict import Outcome

_MEND_BASELINE = "put the file there and give the app Storage Blob Data Reader on its account, or mend `drift.baseline`"


def cost(case: Case) -> tuple[Check, ...]:
    """What a new deployment would cost beside the live one; a price that cannot be read holds every start."""
    gate, live, name = case.policy.gates.cost, case.live, "gate cost"
    if gate is None or live is None or case.endpoint is None or case.place.batch:
        return ()
    settings, now = case.policy.deployment, case.context.clock()
    wanted = settings.instance_type or instance_type(live)
    machines = priced(case.context, instance_type(live), wanted, case.endpoint.region, now)
    scaled = any(s.enabled for s in case.context.autoscale.of(f"{case.place.endpoint_id}/deployments/{live.name}"))
    sizes = None if scaled else (live.instances, settings.instance_count or live.instances)
    found = compared(gate, machines, sizes)
    if found.outcome is Outcome.SAFE:
        return (good(name, found.text),)
    if is_too_dear(found):
        return (bad(name, found.text, "change `deployment` or raise gates.cost.max_ratio in the policy"),)
    return (bad(name, found.text, f"let the app reach {case.context.prices.url}, or drop gates.cost"),)


def drift(case: Case) -> tuple[Check, ...]:
    """Whether the baseline can be read, and what the newest measurement says."""
    if case.policy.gates.drift is None or case.policy.drift is None or case.place.batch:
        return ()
    return (*_baseline(case, case.policy.drift.baseline), _measured(case))


def _baseline(case: Case, uri: str | None) -> tuple[Check, ...]:
    name = "gate drift: baseline"
    if uri is None:
        return (good(name, "the first full window that is exported"),)
    workspace = Workspace(case.target.subscription_id, case.target.resource_group, case.target.workspace)
    try:
        case.context.datastores.etag(uri, workspace)
    except CloudError as error:
        return (bad(name, str(error), _MEND_BASELINE),)
    return (good(name, uri.split("?")[0]),)


def _measured(case: Case) -> Check:
    name, trouble = "gate drift", list[str]()
    seen = read_drift(case.context, case.place, trouble)
    found = drift_finding(case.policy, seen, case.context.clock())
    text = "; ".join((found.text if found else "", *trouble))
    if found is not None and found.outcome is Outcome.SAFE:
        return good(name, text)
    return doubtful(name, f"{text}; until it is safe a version waits at its first step")
