"""How many instances a share of the traffic needs, and what follows when Azure refuses them. Pure.

Capacity comes before traffic: a deployment gets the instances for its next share, and they are read back, before the
share is asked for. It is never made smaller by us, and the deployment that was live keeps its own until it is retired,
so that going back never waits for machines. Costs a second, smaller set of machines for the time of a rollout.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import datetime, timedelta

from policy.model import Canary, Full, Policy, Shadow
from rollout.endpoint import DeploymentSeen, EndpointSeen
from rollout.phases import Phase
from rollout.record import Record, Shortage, Split

FIRST_WAIT = timedelta(minutes=5)
"""Time until what Azure refused for lack of quota is asked for again; it doubles with each refusal."""
LONGEST_WAIT = timedelta(hours=1)

_QUOTA = re.compile(r"outofquota|(?<![\w/-])quota(?![\w/-])", re.IGNORECASE)
"""Azure's word, not a part of a name: a deployment or a model may be called after a quota."""
_NEEDED = re.compile(r"Additional needed:\s*(\d+)", re.IGNORECASE)
_USED = re.compile(r"Current usage/limit:\s*(\d+)\s*/\s*(\d+)", re.IGNORECASE)


def instances_for(share: int, full: int) -> int:
    """The instances that `share` percent need of the `full` number that all of the traffic needs."""
    return max(1, math.ceil(full * share / 100))


def full_size(policy: Policy, record: Record) -> int:
    """The instances for all of the traffic: what the policy says, else the most that the live deployment had.

    Where autoscale moves the live deployment's number, what it really had counts too: the policy's number is then
    only where it began.
    """
    said = policy.deployment.instance_count
    if said is not None and not record.autoscaled:
        return said
    return max(said or 1, record.size)


def first_size(policy: Policy, record: Record) -> int | None:
    """The instances that a candidate is made with: for the first share of live or mirrored traffic that it will get.

    None for a batch deployment, whose machines belong to its jobs.
    """
    if record.batch:
        return None
    full = full_size(policy, record)
    if record.live is None or record.kind != "rollout":
        return full
    for step in policy.steps:
        if isinstance(step, Shadow | Canary | Full):
            return instances_for(_share(step), full)
    return full


def split_size(policy: Policy, record: Record, traffic: Split, mirror: Split) -> int:
    """The instances that the candidate needs for its share of this split, live or mirrored."""
    share = traffic.get(record.candidate, 0) or mirror.get(record.candidate, 0)
    return instances_for(share, full_size(policy, record))


def grows(record: Record, endpoint: EndpointSeen, traffic: Split, mirror: Split) -> DeploymentSeen | None:
    """The candidate, when this split gives it more live or more mirrored traffic than it has now."""
    name = record.candidate
    if record.batch:
        return None
    more = traffic.get(name, 0) > endpoint.traffic.get(name, 0) or mirror.get(name, 0) > endpoint.mirror.get(name, 0)
    return endpoint.deployments.get(name) if more else None


def with_size(record: Record, endpoint: EndpointSeen | None) -> Record:
    """The record with the most instances that the live deployment was seen with: a smaller share may shrink it."""
    live = endpoint.deployments.get(record.live or "") if endpoint is not None else None
    if live is None or live.instances <= record.size:
        return record
    return replace(record, size=live.instances)


def shrunk(record: Record, endpoint: EndpointSeen) -> str:
    """Said when the deployment that has the traffic back has fewer instances than it had; nothing waits for them."""
    deployment = endpoint.deployments.get(record.live or "")
    if deployment is None or endpoint.traffic.get(deployment.name) != 100 or deployment.instances >= record.size:
        return ""
    return (
        f"deployment {deployment.name} has {deployment.instances} of the {record.size} instances that it had:"
        " give them back"
    )


def with_refusal(record: Record, now: datetime) -> Record:
    """The record with Azure's refusal of instances kept as a shortage: asked for again later and later."""
    text = "" if record.phase is Phase.ROLLING_BACK else record.refused
    of_quota = _QUOTA.search(text) is not None
    if not text or not (of_quota or (_of_the_candidate(record) and record.phase is not Phase.DEPLOYING)):
        return record
    tries = (record.short.tries if record.short else 0) + 1
    wait = min(FIRST_WAIT * 2 ** min(tries - 1, 10), LONGEST_WAIT)
    said = f"no quota: {lacking(text)}" if of_quota else f"no more instances: {text}"
    return replace(record, refused="", short=Shortage(said, tries, now + wait))


def lacking(refusal: str) -> str:
    """Azure's refusal for lack of quota, with the number of cores to ask for in front when it can be worked out."""
    needed, used = _NEEDED.search(refusal), _USED.search(refusal)
    if needed is None:
        return refusal
    cores = int(needed[1])
    short = cores
    if used is not None:
        short = max(int(used[1]) + cores - int(used[2]), 0)
    raised = f", so raise the quota by {short} or free as many" if used is not None else ""
    return f"{cores} more cores are needed{raised}: {refusal}"


def _of_the_candidate(record: Record) -> bool:
    return f"/deployments/{record.candidate}".lower() in record.refused.lower()


def _share(step: Shadow | Canary | Full) -> int:
    if isinstance(step, Shadow):
        return step.mirror_percent
    return step.traffic_percent if isinstance(step, Canary) else 100
