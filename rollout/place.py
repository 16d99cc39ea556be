"""The identity of a rollout, and how endpoints and models of a policy are found."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from policy.match import endpoint_id
from policy.model import MODEL, Policy, Target
from rollout.names import endpoint_hash

_ENDPOINT = re.compile(r"(.*/(?:online|batch)endpoints/([^/]+))(/deployments/[^/]+)?")


@dataclass(frozen=True)
class Place:
    """One endpoint of one target of one policy; `endpoint_id` is its ARM id in lower case."""

    policy: str
    target: str
    endpoint: str
    endpoint_id: str

    @cached_property
    def key(self) -> str:
        """The endpoint's key in blob names."""
        return endpoint_hash(self.endpoint_id)

    @property
    def batch(self) -> bool:
        """Whether it is a batch endpoint."""
        return "/batchendpoints/" in self.endpoint_id

    @property
    def message(self) -> dict[str, str]:
        """The work item that asks for a look here."""
        return {"policy": self.policy, "target": self.target, "endpoint": self.endpoint}


def place_of(policy: Policy, target: Target, endpoint: str) -> Place:
    """The place of an endpoint of a target. Its name is kept in lower case, as alerts give it: ARM ignores case."""
    return Place(policy.name, target.name, endpoint.lower(), endpoint_id(target, endpoint))


def owns(target: Target, endpoint: str) -> bool:
    """Whether `endpoint` is one that the target stands for (its name, or one that its `{model}` could give)."""
    head, found, tail = target.endpoint.lower().partition(MODEL)
    name = endpoint.lower()
    if not found:
        return name == head
    return re.fullmatch(f"{re.escape(head)}.+{re.escape(tail)}", name) is not None


def owners(policy: Policy, resource_id: str) -> tuple[Place, ...]:
    """The places of the policy that an ARM id speaks of: the endpoint itself or one of its deployments."""
    found = _ENDPOINT.fullmatch(resource_id.lower().rstrip("/"))
    if found is None:
        return ()
    return tuple(
        Place(policy.name, target.name, endpoint, found[1])
        for target in policy.targets
        for endpoint in [found[2]]
        if owns(target, endpoint) and endpoint_id(target, endpoint) == found[1]
    )
