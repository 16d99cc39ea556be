"""Is there room for a second deployment beside the live one? Azure wants a fifth more than the instances themselves.

Sizes and counters are told by Azure ML for the whole subscription. That online endpoints draw on the same counters is
documented; that these hold the fifth is not, so the answer that counts is Azure's own, at the PUT (rollout.capacity).
"""

from __future__ import annotations

import math

from cloud.locations import Locations, Size, Usage
from rollout.doctor import mend
from rollout.doctor.case import Case
from rollout.doctor.finding import Check, bad, doubtful, good

MORE = 1.2


def second_deployment(case: Case) -> tuple[Check, ...]:
    """The size is one that endpoints take, and as many cores are left as a whole second deployment needs."""
    name = "instance type"
    if case.place.batch or case.endpoint is None:
        return ()
    live = case.live.body["properties"].get("instanceType") if case.live is not None else None
    wanted = case.policy.deployment.instance_type or live
    if wanted is None:
        return ()
    region = case.endpoint.region
    size = Locations(case.context.arm).sizes(case.target.subscription_id, region).get(str(wanted).lower())
    listing = mend.sizes(case.target, region)
    if size is None:
        return (bad(name, f"{wanted} is not known in {region}: choose one that is", listing),)
    if not size.for_endpoints:
        return (bad(name, f"{size.name} is not one that managed endpoints take", listing),)
    instances = case.policy.deployment.instance_count or (case.live.instances if case.live is not None else 1)
    found = good(name, f"{size.name}: {size.cores} cores, {size.family}")
    return (found, _room(case, region, size, instances))


def _room(case: Case, region: str, size: Size, instances: int) -> Check:
    name, needed = "quota", math.ceil(MORE * instances) * size.cores
    usages = Locations(case.context.arm).usages(case.target.subscription_id, region, size.family)
    text = f"{instances} x {size.name} need {needed} cores, with the fifth that Azure reserves"
    short = [one for one in usages if one.left is not None and one.left < needed]
    if short:
        least = min(short, key=lambda one: one.left or 0)
        ask = mend.quota(case.target.subscription_id, region, _resource(size, least), least.used + needed)
        return bad(name, f"{text}, and {least.left} of {least.limit} are left of {least.name}", ask)
    if not usages:
        return doubtful(name, f"{text}; {region} tells no counter of {size.family}: Azure says at the deployment")
    told = "; ".join(f"{one.name}: {'no limit' if one.left is None else f'{one.left} left'}" for one in usages)
    return good(name, f"{text}; {told}")


def _resource(size: Size, usage: Usage) -> str:
    return "TotalDedicatedCores" if usage.name.lower().startswith("total") else size.family
