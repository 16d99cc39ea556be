"""Where the parts of the local cloud meet. Each part is built against these and nothing else of another part.

The cloud is one asyncio process (aiohttp) for Azure's management and monitoring APIs, one process for the scoring
front, and one process per deployment. A `Cloud` is handed to every part when the server is built.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from localcloud.faults import Faults
from localcloud.journal import Journal
from localcloud.pace import Pace
from localcloud.settings import Settings

Json = dict[str, Any]


class AzureError(Exception):
    """An answer in ARM's error envelope: raised by a handler, turned into the HTTP reply by `localcloud.server`."""

    def __init__(
        self, status: int, code: str, message: str, *, details: Sequence[Json] = (), headers: Mapping[str, str] = {}
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.details, self.headers = list(details), dict(headers)


class ServingFailed(Exception):
    """A deployment's container did not come up: becomes the long-running operation's error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class ServingSpec:
    """One deployment to serve. Paths are folders on this machine, already downloaded."""

    resource_id: str
    """The endpoint's ARM id in lower case, as `_ResourceId` shows it."""
    endpoint: str
    deployment: str
    model_path: Path
    model_name: str
    model_version: str
    code_path: Path | None
    scoring_script: str | None
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    instance_count: int = 1
    max_concurrent_requests_per_instance: int = 1
    request_timeout_seconds: float = 5.0
    collector: Json | None = None
    """What is collected: `source`, `rolling` (Minute to Year) and `collections`: per name rate, container and path."""


@dataclass(frozen=True)
class EndpointRoutes:
    """What the scoring front needs to know of one endpoint; replaces what it knew before."""

    resource_id: str
    endpoint: str
    workspace: str
    workspace_id: str
    auth_mode: str
    """Key, AMLToken or AADToken."""
    keys: tuple[str, ...]
    """Accepted bearer tokens for Key and AMLToken."""
    traffic: Mapping[str, int]
    mirror: Mapping[str, int]


class Serving(Protocol):
    """The data plane, as the control plane sees it (`localcloud.scoring`)."""

    async def start_deployment(self, spec: ServingSpec) -> None:
        """Bring up (or replace in place) a deployment's process and wait until it is ready; ServingFailed if not."""

    async def stop_deployment(self, endpoint: str, deployment: str) -> None: ...

    async def set_routes(self, routes: EndpointRoutes) -> None:
        """From when this returns, every new request follows these routes. Requests under way finish undisturbed."""

    async def remove_endpoint(self, endpoint: str) -> None: ...

    async def container_log(self, endpoint: str, deployment: str, tail: int) -> str: ...

    def scoring_uri(self, endpoint: str) -> str: ...


class Tables(Protocol):
    """Log Analytics' tables (`localcloud.monitor`). Rows become visible after the ingestion delay."""

    def append(self, table: str, rows: Sequence[Json]) -> None:
        """Rows as dicts of column values; `TimeGenerated` is an aware datetime. Unknown columns are refused.

        A row of AmlOnlineEndpointTrafficLog may carry the hidden key `_mirrored: bool`."""


class Events(Protocol):
    """Event Grid (`localcloud.eventgrid`)."""

    def publish(self, topic: str, subject: str, event_type: str, data: Json, *, data_version: str = "") -> None:
        """An event of a system topic (ARM id of the workspace); delivered to its subscriptions, at least once."""


class Blobs(Protocol):
    """The workspace's storage account in Azurite (`localcloud.azurite`), for parts that need the bytes themselves."""

    account_name: str
    """What a datastore reply must give as accountName so that the unpatched SDK uploads here (facts/local-stack.md)."""
    blob_url: str
    """https://localhost:PORT/devstoreaccount1"""
    connection_string: str

    async def download_folder(self, container: str, prefix: str, to: Path) -> None: ...

    async def upload_folder(self, container: str, prefix: str, source: Path) -> None: ...

    def upload(self, container: str, name: str, data: bytes) -> None:
        """Write one blob over whatever was there (blocking); the container is made on first need."""
        ...

    def sas_url(self, container: str, path: str = "") -> str: ...


def utc_now() -> datetime:
    """The one clock of the local cloud: real UTC."""
    return datetime.now(UTC)


@dataclass
class Cloud:
    """Everything one running local cloud holds; filled by `localcloud.server.build` in dependency order."""

    settings: Settings
    base_url: str
    """https://localhost:PORT of the management and monitoring APIs."""
    folder: Path
    """`.local/`: certificates, downloads, model and job work folders."""
    ca_file: Path
    serving: Serving = field(init=False)
    tables: Tables = field(init=False)
    events: Events = field(init=False)
    blobs: Blobs = field(init=False)
    faults: Faults = field(default_factory=Faults)
    """What goes wrong on order (`localcloud.faults`)."""
    journal: Journal = field(default_factory=Journal)
    """The newest requests to the cloud."""
    inspections: dict[str, Callable[[], Sequence[Json]]] = field(default_factory=dict)
    """What `GET /localcloud` shows, by heading: one dict per row, all with the same keys."""
    pace: Pace = field(init=False)
    """How operations, ingestion and alert evaluation wait (`localcloud.pace`)."""
    closers: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    """Run in reverse order at shut-down."""
    inspect_deployments: Callable[[], Sequence[Json]] = field(default=lambda: ())
    """Set by `localcloud.arm`: one dict per online deployment {resource_id (endpoint, lower), deployment, instances,
    state, instance_type}, for the capacity metrics and the cost."""

    def __post_init__(self) -> None:
        self.pace = Pace(self.settings.stepped)
