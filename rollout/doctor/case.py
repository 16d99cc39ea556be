"""One endpoint under examination: what all groups of checks need of it, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cloud.access import Access, Caller
from cloud.diagnostics import Diagnostics
from cloud.endpoints import Deployment, Endpoint
from policy.model import Policy, Shadow, Target
from rollout.context import Context
from rollout.place import Place


@dataclass(frozen=True)
class Case:
    """An endpoint of a policy, as whoever asks sees it. `policy` is the one in effect at the target."""

    context: Context
    policy: Policy
    target: Target
    place: Place
    caller: Caller
    model: str
    """The model whose versions go there."""
    endpoint: Endpoint | None = None
    deployments: Mapping[str, Deployment] = field(default_factory=dict)

    @property
    def workspace_id(self) -> str:
        """ARM id of the Azure Machine Learning workspace."""
        return self.place.endpoint_id.rsplit("/", 2)[0]

    @property
    def group_id(self) -> str:
        """ARM id of the resource group."""
        return self.workspace_id.partition("/providers/")[0]

    @property
    def access(self) -> Access:
        """Reads of the caller's rights."""
        return Access(self.context.arm)

    @property
    def diagnostics(self) -> Diagnostics:
        """Reads of diagnostic settings."""
        return Diagnostics(self.context.arm)

    @property
    def live(self) -> Deployment | None:
        """The deployment with the largest live share."""
        shares = self.endpoint.traffic if self.endpoint is not None else {}
        name = max(shares, key=lambda one: shares[one], default="")
        return self.deployments.get(name)

    @property
    def pairs(self) -> bool:
        """Whether answers of two deployments to the same request are compared."""
        shadowed = any(isinstance(step, Shadow) for step in self.policy.steps)
        return self.policy.gates.agreement is not None and shadowed and not self.place.batch
