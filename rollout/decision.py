"""What `decide` answers: the record as it should be, and the actions that make the world follow it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from rollout.record import Record


@dataclass(frozen=True)
class CreateDeployment:
    """Deploy the candidate: a copy of the live deployment's body with the policy laid over."""

    name: str
    model_id: str
    like: str | None
    """The deployment to copy; None for a first version, made from the policy alone."""
    instances: int | None = None
    """How many; None: as the copy or the policy says."""


@dataclass(frozen=True)
class ScaleDeployment:
    """Give a deployment this many instances, before traffic that needs them."""

    name: str
    instances: int


@dataclass(frozen=True)
class CarryAutoscale:
    """Copy the autoscale settings of one deployment to another that has none yet."""

    source: str
    name: str


@dataclass(frozen=True)
class SetTraffic:
    """Ask Azure for a split. `urgent`: sent even while another operation seems to be in flight."""

    traffic: Mapping[str, int]
    mirror: Mapping[str, int]
    urgent: bool = False


@dataclass(frozen=True)
class SaveLogs:
    """Keep a deployment's container log in the history before it is deleted."""

    name: str


@dataclass(frozen=True)
class DeleteDeployment:
    """Delete a deployment that has neither live nor mirrored traffic."""

    name: str


@dataclass(frozen=True)
class StartJob:
    """Start a job on the batch target's sample; one of that name which exists is the job."""

    name: str
    deployment: str


@dataclass(frozen=True)
class CancelJob:
    """End a job on the sample that nobody waits for any more."""

    name: str


@dataclass(frozen=True)
class SendLoad:
    """Send so many of the step's recorded requests through the endpoint (rollout.load)."""

    count: int


Action = (
    CreateDeployment
    | ScaleDeployment
    | CarryAutoscale
    | SetTraffic
    | SaveLogs
    | DeleteDeployment
    | StartJob
    | CancelJob
    | SendLoad
)


@dataclass(frozen=True)
class Decision:
    """The next record (its reasons and next look included) and what to do, in order."""

    record: Record
    actions: tuple[Action, ...] = ()

    @property
    def urgent(self) -> bool:
        """Whether traffic goes back in this look: nothing that can wait comes before it."""
        return any(isinstance(action, SetTraffic) and action.urgent for action in self.actions)

    @property
    def next_look(self) -> datetime | None:
        """When to look again; None: only when something happens."""
        return self.record.next_look
