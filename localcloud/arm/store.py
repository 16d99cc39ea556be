"""What the management plane remembers: plain records in memory, nothing that decides.

A restart of the cloud process forgets everything, as a new subscription would; files of models and jobs stay on disk.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from localcloud.arm.batch_records import BatchEndpoint
from localcloud.arm.paths import Scope
from localcloud.seams import Json, utc_now


def system_data(created: datetime, modified: datetime) -> Json:
    """`systemData`; without createdAt and lastModifiedAt the SDK crashes."""
    return {
        **inference_system_data(created, modified),
        "createdByType": "User",
        "lastModifiedBy": "localcloud",
        "lastModifiedByType": "User",
    }


def inference_system_data(created: datetime, modified: datetime) -> Json:
    """`systemData` as endpoints and deployments have it: shorter than that of assets."""
    return {"createdAt": created.isoformat(), "createdBy": "localcloud", "lastModifiedAt": modified.isoformat()}


@dataclass
class AssetVersion:
    """One version of a model, code, environment, data or component."""

    version: str
    properties: Json
    sequence: int
    """Order of creation: two versions of one instant still have an order."""
    created: datetime = field(default_factory=utc_now)
    modified: datetime = field(default_factory=utc_now)

    @property
    def archived(self) -> bool:
        """Archived versions are left out of ordinary lists."""
        return bool(self.properties.get("isArchived"))


@dataclass
class Asset:
    """The container of an asset's versions."""

    scope: Scope
    kind: str
    """models, codes, environments, data or components."""
    name: str
    properties: Json = field(default_factory=dict)
    versions: dict[str, AssetVersion] = field(default_factory=dict)
    created: datetime = field(default_factory=utc_now)
    modified: datetime = field(default_factory=utc_now)

    def newest_first(self) -> list[AssetVersion]:
        """Newest created first, which is not the highest number."""
        return sorted(self.versions.values(), key=lambda version: version.sequence, reverse=True)


@dataclass
class Deployment:
    """One online deployment. `properties` is what a GET shows, without what the server adds."""

    name: str
    properties: Json
    sku: Json
    tags: Json
    location: str
    identity: Json | None
    user_properties: Json
    state: str = "Updating"
    operation_uri: str = ""
    ever_succeeded: bool = False
    fetched: list[str] = field(default_factory=list)
    """What the storage initializer says: one line per asset that it brought."""
    created: datetime = field(default_factory=utc_now)
    modified: datetime = field(default_factory=utc_now)

    @property
    def instances(self) -> int:
        """Machines that this deployment holds."""
        capacity = self.sku.get("capacity")
        return 1 if capacity is None else int(capacity)


@dataclass
class Endpoint:
    """One online endpoint and its deployments."""

    scope: Scope
    name: str
    location: str
    auth_mode: str
    tags: Json = field(default_factory=dict)
    identity: Json = field(default_factory=dict)
    description: str | None = None
    user_properties: Json = field(default_factory=dict)
    public_network_access: str = "Enabled"
    state: str = "Creating"
    ever_succeeded: bool = False
    operation_uri: str = ""
    traffic: dict[str, int] = field(default_factory=dict)
    mirror: dict[str, int] = field(default_factory=dict)
    primary_key: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    secondary_key: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    tokens: list[str] = field(default_factory=list)
    principal_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    deployments: dict[str, Deployment] = field(default_factory=dict)
    created: datetime = field(default_factory=utc_now)
    modified: datetime = field(default_factory=utc_now)

    @property
    def arm_id(self) -> str:
        """The endpoint's ARM id."""
        return f"{self.scope.arm_id}/onlineEndpoints/{self.name}"


@dataclass
class Job:
    """A command or pipeline job, or one step of a pipeline."""

    scope: Scope
    name: str
    properties: Json
    folder: Path
    status: str = "NotStarted"
    parent: str | None = None
    error: Json | None = None
    created: datetime = field(default_factory=utc_now)
    started: datetime | None = None
    ended: datetime | None = None


@dataclass
class Store:
    """All of it, by look-up key (ids in lower case)."""

    assets: dict[tuple[str, str, str], Asset] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    batch_endpoints: dict[str, BatchEndpoint] = field(default_factory=dict)
    jobs: dict[tuple[str, str], Job] = field(default_factory=dict)
    workspace_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    registry_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    _sequence: int = 0

    def next_sequence(self) -> int:
        """The place of a new version in the order of creation."""
        self._sequence += 1
        return self._sequence

    def asset(self, scope: Scope, kind: str, name: str) -> Asset | None:
        """The asset of that name, any version."""
        return self.assets.get((scope.key, kind, name.lower()))
