"""Which split each phase wants, which deployment "back" means, and whether a split is somebody else's."""

from __future__ import annotations

from collections.abc import Mapping

from policy.model import Canary, Policy, Shadow
from rollout.endpoint import DeploymentSeen, EndpointSeen
from rollout.phases import Phase
from rollout.record import Record, Split


def wanted(policy: Policy, record: Record) -> tuple[Split, Split]:
    """Live split and mirror that the record's present step wants. Live and mirror never meet in one deployment."""
    live = {record.live: 100} if record.live else {}
    if record.phase in (Phase.FULL, Phase.RETIRING, Phase.DONE):
        return {record.candidate: 100}, {}
    # Approval, wait and check keep the split of the step before them. A batch endpoint has but a default deployment.
    taken = () if record.batch else policy.steps[: record.step + 1]
    for step in reversed(taken):
        if isinstance(step, Canary) and record.live:
            return {record.live: 100 - step.traffic_percent, record.candidate: step.traffic_percent}, {}
        if isinstance(step, Shadow) and record.live:
            return live, {record.candidate: step.mirror_percent}
    return live, {}


def back(record: Record, endpoint: EndpointSeen) -> str | None:
    """The deployment to go back to: what is healthy now, not what a name says.

    The deployment that was live when the rollout began, if it can serve; else another healthy one that has live
    traffic now; else none, and then the traffic must stay where it is.
    """
    seen: DeploymentSeen | None = endpoint.deployments.get(record.live or "")
    if seen is not None and seen.healthy:
        return seen.name
    others = [
        name
        for name, share in sorted(endpoint.traffic.items(), key=lambda item: -item[1])
        if share and name != record.candidate and name in endpoint.deployments and endpoint.deployments[name].healthy
    ]
    return others[0] if others else None


def nowhere_back(record: Record, endpoint: EndpointSeen) -> bool:
    """Whether the candidate serves and what it would go back to is not there: a first version, or after retiring."""
    old = endpoint.deployments.get(record.live or "")
    gone = old is None or old.state == "Deleting"
    return bool(endpoint.traffic.get(record.candidate)) and gone and back(record, endpoint) is None


def is_split(endpoint: EndpointSeen, traffic: Split, mirror: Split) -> bool:
    """Whether the endpoint has exactly this split."""
    return dict(endpoint.traffic) == traffic and dict(endpoint.mirror) == mirror


def foreign(record: Record, endpoint: EndpointSeen, goal: tuple[Split, Split]) -> str:
    """What of the split is somebody else's: neither seen before, nor asked for, nor wanted; nothing if all is ours.

    A lost mirror is not foreign: an update by an old client drops it silently, and it is put back.
    """
    traffic, mirror = dict(endpoint.traffic), dict(endpoint.mirror)
    asked = record.asked or goal
    if traffic not in (record.traffic, asked[0], goal[0]):
        return f"the live split to {split_words(traffic)}"
    if mirror and mirror not in (record.mirror, asked[1], goal[1]):
        return f"the mirror to {split_words(mirror)}"
    return ""


def split_words(split: Mapping[str, int]) -> str:
    """Shares as people read them, the largest first."""
    shares = sorted(split.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{share} % {name}" for name, share in shares) or "none"


def sole_live(endpoint: EndpointSeen) -> tuple[bool, str | None]:
    """(whether the split is one that a rollout may start from, the deployment with all live traffic)."""
    if endpoint.mirror:
        return False, None
    if not endpoint.traffic:
        return True, None
    if len(endpoint.traffic) == 1:
        name, share = next(iter(endpoint.traffic.items()))
        return share == 100, name
    return False, None
