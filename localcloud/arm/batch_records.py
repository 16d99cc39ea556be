"""What the management plane remembers of batch endpoints: plain records, nothing that decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from localcloud.arm.paths import Scope
from localcloud.seams import Json, utc_now


@dataclass
class BatchDeployment:
    """One batch deployment. `properties` is what a GET shows, without what the server adds."""

    name: str
    properties: Json
    tags: Json
    location: str
    state: str = "Updating"
    ever_succeeded: bool = False
    created: datetime = field(default_factory=utc_now)
    modified: datetime = field(default_factory=utc_now)


@dataclass
class BatchEndpoint:
    """One batch endpoint and its deployments. `default` takes every call that is not pinned."""

    scope: Scope
    name: str
    location: str
    api_version: str
    """Of the first PUT, which Azure writes into the properties."""
    tags: Json = field(default_factory=dict)
    description: str | None = None
    user_properties: Json = field(default_factory=dict)
    default: str | None = None
    state: str = "Creating"
    ever_succeeded: bool = False
    operation_uri: str = ""
    deployments: dict[str, BatchDeployment] = field(default_factory=dict)
    jobs: list[BatchJob] = field(default_factory=list)
    created: datetime = field(default_factory=utc_now)
    modified: datetime = field(default_factory=utc_now)

    @property
    def arm_id(self) -> str:
        """The endpoint's ARM id."""
        return f"{self.scope.arm_id}/batchEndpoints/{self.name}"


@dataclass(frozen=True)
class BatchJob:
    """One call of a batch endpoint: the job that it started, and the reply that it got."""

    name: str
    """Of the job, which `store.jobs` has."""
    deployment: str
    request_id: str
    """repeatability_request-id: a call that is sent again gets the same job."""
    properties: Json
    created: datetime = field(default_factory=utc_now)
