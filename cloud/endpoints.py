"""Online endpoints and their deployments, as raw ARM bodies (learn.microsoft.com/rest/api/azureml/online-endpoints).

Ids are ARM ids in any case; ARM compares them without regard to case. Every write starts an operation on Azure's
side and returns at once: what it came to is read later, never taken from the reply (it shows the old traffic).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloud.arm import Arm, Json, error_text
from cloud.errors import CloudError, NotFound, Permanent, mapped

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

API_VERSION = "2024-10-01"
CONTAINERS = ("StorageInitializer", "InferenceServer")
SCORING_SCOPE = "https://ml.azure.com/.default"


@dataclass(frozen=True)
class Endpoint:
    """An online endpoint as read: `body` is everything that Azure answered."""

    id: str
    body: Json

    @property
    def state(self) -> str:
        """Succeeded, Creating, Updating, Deleting, Failed or Canceled."""
        return str(self.body["properties"].get("provisioningState") or "")

    @property
    def traffic(self) -> dict[str, int]:
        """Live percent by deployment; zeros are left out."""
        return _weights(self.body["properties"].get("traffic"))

    @property
    def mirror(self) -> dict[str, int]:
        """Mirrored percent by deployment; zeros are left out."""
        return _weights(self.body["properties"].get("mirrorTraffic"))

    @property
    def region(self) -> str:
        """The Azure region, in the form that host names use."""
        return str(self.body.get("location") or "").replace(" ", "").lower()

    @property
    def scoring_uri(self) -> str:
        """Where clients send requests; empty until the endpoint succeeded once."""
        return str(self.body["properties"].get("scoringUri") or "")

    @property
    def swagger_uri(self) -> str:
        """Where its deployments' OpenAPI documents are read."""
        given = self.body["properties"].get("swaggerUri")
        return str(given or f"{self.scoring_uri.removesuffix('/score')}/swagger.json")


@dataclass(frozen=True)
class Deployment:
    """A deployment as read."""

    name: str
    body: Json

    @property
    def state(self) -> str:
        """Succeeded, Creating, Updating, Scaling, Deleting, Failed or Canceled."""
        return str(self.body["properties"].get("provisioningState") or "")

    @property
    def model(self) -> str:
        """The id of the model version that it serves."""
        return str(self.body["properties"].get("model") or "")

    @property
    def writes_rows(self) -> bool:
        """Whether jobs of it would write one file of rows; what online deployments answer, they answer by request."""
        return True

    @property
    def instances(self) -> int:
        """How many machines it has; autoscale may have changed what was asked for."""
        return int((self.body.get("sku") or {}).get("capacity") or 1)

    def tag(self, name: str) -> str:
        """A tag's value; empty when it has none of that name."""
        return str((self.body.get("tags") or {}).get(name) or "")

    @property
    def operation(self) -> str:
        """URL of its latest operation, kept by Azure in the resource itself."""
        return str((self.body["properties"].get("properties") or {}).get("AzureAsyncOperationUri") or "")


class Endpoints:
    """Reads and writes of online endpoints."""

    def __init__(self, arm: Arm, credential: TokenCredential) -> None:
        self._arm, self._credential = arm, credential

    def read(self, endpoint_id: str) -> Endpoint | None:
        """The endpoint, or None when it does not exist."""
        body = self._arm.get(endpoint_id, API_VERSION)
        return None if body is None else Endpoint(endpoint_id, body)

    def deployments(self, endpoint_id: str) -> tuple[Deployment, ...]:
        """All deployments of the endpoint, by name."""
        bodies = self._arm.pages(f"{endpoint_id}/deployments", API_VERSION)
        return tuple(sorted((Deployment(str(b["name"]), b) for b in bodies), key=lambda d: d.name))

    def write_traffic(self, endpoint: Endpoint, traffic: Mapping[str, int], mirror: Mapping[str, int]) -> None:
        """Ask for a split. The whole endpoint is sent back as read, since a PUT replaces everything.

        `traffic` sums to 0 or 100 and `mirror` holds at most one deployment at no more than 50 (Azure's rules).
        """
        body = copy.deepcopy(endpoint.body)
        body["properties"]["traffic"] = dict(traffic)
        body["properties"]["mirrorTraffic"] = dict(mirror)
        self._arm.put(endpoint.id, API_VERSION, writable(body))

    def write_deployment(self, endpoint_id: str, name: str, body: Mapping[str, Any]) -> None:
        """Create or replace a deployment."""
        self._arm.put(f"{endpoint_id}/deployments/{name}", API_VERSION, body)

    def scale_deployment(self, endpoint_id: str, name: str, instances: int) -> None:
        """Ask for another number of instances: the deployment is read again and sent back whole, only that changed.

        Permanent with Azure's words, at once, when there is no quota for them.
        """
        path = f"{endpoint_id}/deployments/{name}"
        body = self._arm.get(path, API_VERSION)
        if body is None:
            raise NotFound(f"GET {path}: 404 deployment {name} is gone", status=404)
        scaled = copy.deepcopy(body)
        scaled["sku"] = {**(body.get("sku") or {}), "name": "Default", "capacity": instances}
        self._arm.put(path, API_VERSION, writable(scaled))

    def delete_deployment(self, endpoint_id: str, name: str) -> None:
        """Start deleting a deployment; Azure refuses while it has live traffic."""
        self._arm.delete(f"{endpoint_id}/deployments/{name}", API_VERSION)

    def failure(self, deployment: Deployment) -> str:
        """Why a deployment's last operation failed, in Azure's words; empty when Azure does not say."""
        if not deployment.operation:
            return ""
        try:
            status = self._arm.read_url(deployment.operation)
        except CloudError:
            return ""
        return error_text(status) if status.get("error") else ""

    def container_log(self, endpoint_id: str, name: str, lines: int = 1000) -> str:
        """The last lines of both of a deployment's containers: the one that fetches the model, and the server.

        A container that never started has no log, and Azure refuses to show it: that is said in its place.
        """
        parts = []
        for container in CONTAINERS:
            try:
                asked = {"tail": lines, "containerType": container}
                reply = self._arm.post(f"{endpoint_id}/deployments/{name}/getLogs", API_VERSION, asked)
                text = str(reply.get("content") or "")
            except Permanent as error:
                text = f"no log could be read: {error.reason}\n"
            parts.append(f"=== {container}\n{text}")
        return "\n".join(parts)

    def key(self, endpoint: Endpoint) -> str:
        """A bearer token for scoring: the key, an AML token, or for an Entra endpoint the app's own token."""
        mode = str(endpoint.body["properties"].get("authMode", "")).lower()
        if mode == "aadtoken":
            with mapped("getting a token for scoring"):
                return self._credential.get_token(SCORING_SCOPE).token
        if mode == "amltoken":
            return str(self._arm.post(f"{endpoint.id}/token", API_VERSION).get("accessToken") or "")
        return str(self._arm.post(f"{endpoint.id}/listKeys", API_VERSION).get("primaryKey") or "")


def _weights(raw: Mapping[str, Any] | None) -> dict[str, int]:
    return {name: int(share) for name, share in (raw or {}).items() if int(share)}


def writable(body: Json) -> Json:
    """What a PUT may carry: Azure makes id, name, type, systemData and the states itself."""
    kept = {key: body[key] for key in ("location", "tags", "kind", "identity", "sku") if body.get(key) is not None}
    if isinstance(kept.get("identity"), dict):
        kept["identity"] = identity(kept["identity"])
    made = ("provisioningState", "scoringUri", "swaggerUri")
    kept["properties"] = {key: value for key, value in body["properties"].items() if key not in made}
    return kept


def identity(read: Mapping[str, Any]) -> Json:
    """An identity as a PUT takes it: Azure makes the ids of principals and clients itself."""
    kept = {key: value for key, value in read.items() if key not in ("principalId", "tenantId")}
    if isinstance(kept.get("userAssignedIdentities"), Mapping):
        kept["userAssignedIdentities"] = {name: {} for name in kept["userAssignedIdentities"]}
    return kept
