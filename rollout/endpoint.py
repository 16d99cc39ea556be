"""An endpoint and its deployments as a look sees them, in plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

SERVING = frozenset({"Succeeded", "Updating", "Scaling"})
"""Deployment states in which requests are answered. Failed is not among them: a failed first provisioning never
served, and whether a failed update still serves is not documented."""

AT_REST = frozenset({"Succeeded", "Failed", "Canceled"})
"""Endpoint states in which no operation runs."""


@dataclass(frozen=True)
class DeploymentSeen:
    """One deployment: its provisioning state, the model version that it serves, and Azure's words if it failed."""

    name: str
    state: str
    model: str = ""
    failure: str = ""
    writes_rows: bool = True
    """Of a batch deployment: whether its jobs write one file of rows."""
    instances: int = 1
    made_by: str = ""
    """Which `deployment` settings of a policy it was made by, if it was made by us."""

    @property
    def healthy(self) -> bool:
        """Whether live traffic may be sent to it."""
        return self.state in SERVING


@dataclass(frozen=True)
class EndpointSeen:
    """The endpoint: state, split, and its deployments by name."""

    state: str
    traffic: Mapping[str, int]
    mirror: Mapping[str, int]
    deployments: Mapping[str, DeploymentSeen]
    region: str = ""

    @property
    def busy(self) -> bool:
        """Whether an operation on the endpoint itself is in flight."""
        return self.state not in AT_REST


@dataclass(frozen=True)
class Snapshot:
    """An endpoint as it was read, and when. While a rollout stands still, later looks go by it (`rollout.recall`)."""

    endpoint: EndpointSeen
    at: datetime
