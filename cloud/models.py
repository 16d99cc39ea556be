"""Model versions of workspaces and registries, through azure-ai-ml (imported on first use: about 5 s)."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cloud.errors import NotFound, mapped

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.core.credentials import TokenCredential


@dataclass(frozen=True)
class ModelVersion:
    """One registered version. `id` is its ARM or azureml:// id; `created` tells a re-registered one from the first."""

    name: str
    version: str
    id: str
    created: datetime
    tags: Mapping[str, str] = field(default_factory=dict)
    stage: str | None = None


@dataclass(frozen=True)
class Place:
    """Where models live: a registry, or a workspace of a resource group and subscription."""

    subscription_id: str
    resource_group: str
    workspace: str
    registry: str | None = None


class Models:
    """Reads of model versions; `cloud_name` and `cloud_metadata` choose another Azure cloud than the public one."""

    def __init__(
        self, credential: TokenCredential, *, cloud_name: str = "", cloud_metadata: Mapping[str, str] | None = None
    ) -> None:
        self._credential = credential
        self._cloud: dict[str, Any] = {"cloud": cloud_name, "cloud_metadata": dict(cloud_metadata or {})}
        self._clients: dict[Place, MLClient] = {}
        self._lock = threading.Lock()

    def versions(self, place: Place, name: str) -> tuple[ModelVersion, ...]:
        """Versions that are not archived, newest created first; empty when the model does not exist."""
        try:
            with mapped(f"listing versions of model {name}"):
                found = [_version(one) for one in self.client(place).models.list(name=name)]
        except NotFound:
            return ()
        return tuple(sorted(found, key=lambda v: v.created, reverse=True))

    def names(self, place: Place) -> tuple[str, ...]:
        """Names of all models that are not archived."""
        with mapped("listing models"):
            return tuple(sorted({str(one.name) for one in self.client(place).models.list()}))

    def client(self, place: Place) -> MLClient:
        """The SDK's client for a place, made once. The lock keeps two threads from importing azure.ai.ml at once."""
        with self._lock:
            if place not in self._clients:
                self._clients[place] = self._made(place)
            return self._clients[place]

    def _made(self, place: Place) -> MLClient:
        from azure.ai.ml import MLClient

        options = {**(self._cloud if self._cloud["cloud"] else {}), "enable_telemetry": False}
        if place.registry:
            return MLClient(self._credential, registry_name=place.registry, **options)
        return MLClient(self._credential, place.subscription_id, place.resource_group, place.workspace, **options)


def _version(model: Any) -> ModelVersion:
    return ModelVersion(
        name=str(model.name),
        version=str(model.version),
        id=str(model.id),
        created=model.creation_context.created_at,
        tags={str(k): str(v) for k, v in (model.tags or {}).items()},
        stage=model.stage,
    )
