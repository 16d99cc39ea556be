"""Batch endpoints and their deployments, by the verbs of online ones: the default deployment is the whole split.

A batch endpoint has no traffic and no mirror. Every call that does not name a deployment goes to the default one, so
"all live traffic on D" is `defaults.deploymentName: D` (learn.microsoft.com/rest/api/azureml/batch-endpoints). Whoever
moves traffic needs no other words for it; what batch endpoints do not have at all is in `cloud.batch_jobs`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

from cloud.endpoints import API_VERSION, Deployment, Endpoint, Endpoints, writable
from cloud.errors import Permanent

BATCH = "/batchendpoints/"


def is_batch(endpoint_id: str) -> bool:
    """Whether an ARM id is that of a batch endpoint."""
    return BATCH in endpoint_id.lower()


def workspace_of(endpoint_id: str) -> str:
    """The ARM id of a batch endpoint's workspace."""
    return endpoint_id[: endpoint_id.lower().index(BATCH)]


@dataclass(frozen=True)
class BatchEndpoint(Endpoint):
    """A batch endpoint as read."""

    @property
    def traffic(self) -> dict[str, int]:
        """100 for the default deployment; empty when there is none."""
        name = (self.body["properties"].get("defaults") or {}).get("deploymentName")
        return {str(name): 100} if name else {}

    @property
    def mirror(self) -> dict[str, int]:
        """Always empty: batch endpoints copy nothing."""
        return {}


@dataclass(frozen=True)
class BatchDeployment(Deployment):
    """A batch deployment as read."""

    @property
    def model(self) -> str:
        """The id of the model version that it scores with; empty for a pipeline component."""
        model = self.body["properties"].get("model")
        return str(model.get("assetId") or "") if isinstance(model, dict) else str(model or "")

    @property
    def writes_rows(self) -> bool:
        """Whether its jobs write one file of rows; else its script writes files of its own, which nobody can pair."""
        return str(self.body["properties"].get("outputAction") or "AppendRow").lower() == "appendrow"


class BatchEndpoints(Endpoints):
    """Reads and writes of batch endpoints."""

    def read(self, endpoint_id: str) -> BatchEndpoint | None:
        """The endpoint, or None when it does not exist."""
        body = self._arm.get(endpoint_id, API_VERSION)
        return None if body is None else BatchEndpoint(endpoint_id, body)

    def deployments(self, endpoint_id: str) -> tuple[Deployment, ...]:
        """All deployments of the endpoint, by name."""
        bodies = self._arm.pages(f"{endpoint_id}/deployments", API_VERSION)
        return tuple(sorted((BatchDeployment(str(b["name"]), b) for b in bodies), key=lambda d: d.name))

    def write_traffic(self, endpoint: Endpoint, traffic: Mapping[str, int], mirror: Mapping[str, int]) -> None:
        """Make the one deployment of `traffic` the default one. The whole endpoint is sent back: a PUT replaces."""
        if mirror or len(traffic) > 1:
            raise Permanent(
                f"a batch endpoint has one default deployment and no mirror: {dict(traffic)} {dict(mirror)}"
            )
        body = copy.deepcopy(endpoint.body)
        body["properties"]["defaults"] = {"deploymentName": next(iter(traffic), None)}
        self._arm.put(endpoint.id, API_VERSION, writable(body))

    def container_log(self, endpoint_id: str, name: str, lines: int = 1000) -> str:
        """Says where its logs are: a batch deployment has no container, its jobs and their logs outlive it."""
        del lines
        workspace = workspace_of(endpoint_id).rsplit("/", 1)[-1]
        return f"The logs of {name} are with its jobs, which stay in workspace {workspace}.\n"


def endpoints_at(endpoint_id: str, online: Endpoints, batch: BatchEndpoints) -> Endpoints:
    """The service that an endpoint belongs to."""
    return batch if is_batch(endpoint_id) else online
