"""What the drift wing needs from outside, and how it finds an endpoint again by its names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cloud.blobs import Blobs
from cloud.datastores import Datastores
from cloud.insights import Insights
from cloud.jobs import Jobs
from cloud.models import Place as Workspace
from cloud.queues import Queues
from drift.store import Place
from policy.model import Policy, Target


@dataclass(frozen=True)
class Context:
    """`endpoints`: every endpoint that is known, with its policy and target. Without `insights` nothing is sent."""

    blobs: Blobs
    queues: Queues
    datastores: Datastores
    jobs: Jobs
    insights: Insights | None
    endpoints: Sequence[tuple[Policy, Target, str]]


@dataclass(frozen=True)
class Watched:
    """One endpoint with everything the policy says about it."""

    place: Place
    policy: Policy
    target: Target

    @property
    def workspace(self) -> Workspace:
        """Where short datastore addresses are looked up and retraining jobs run."""
        return Workspace(self.target.subscription_id, self.target.resource_group, self.target.workspace)


def watched(context: Context) -> list[Watched]:
    """Every known endpoint."""
    return [Watched(Place(p.name, t.name, endpoint), p, t) for p, t, endpoint in context.endpoints]


def find(context: Context, place: Place) -> Watched | None:
    """The endpoint of these names, or None when its policy is gone."""
    return next((one for one in watched(context) if one.place == place), None)
