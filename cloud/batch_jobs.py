"""Jobs of batch endpoints: started on one deployment by plain HTTP, looked up, cancelled, listed.

Not by the SDK's `invoke`: it leaks the deployment header into every later call of the process. A job is started under
a name of our choosing and with the same `repeatability_request-id` for that name, and its answer lies where we said, so
that a call which is sent twice cannot become two jobs that both count. Management calls are ARM's; starting and listing
are the service's own (api-version 2020-09-01-dataplanepreview, as azure-ai-ml has it).
"""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cloud.arm import CONNECT_SECONDS, READ_SECONDS, Arm, Json, error_text
from cloud.batch import workspace_of
from cloud.endpoints import API_VERSION, Endpoint
from cloud.errors import CloudError, Conflict, Permanent, Temporary, from_status, mapped

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

DATA_PLANE_VERSION = "2020-09-01-dataplanepreview"
PUBLIC_AUDIENCE = "https://ml.azure.com"
MOST_REMEMBERED = 1000
ENDED = frozenset({"Completed", "Failed", "Canceled"})
_FAILED_COUNTS = ("failed_items", "failed_rows", "failed_mini_batches")


@dataclass(frozen=True)
class BatchJob:
    """One job as read. `failed` counts what it could not score, where Azure tells that in the job's properties."""

    name: str
    status: str
    created: datetime
    deployment: str = ""
    failed: int = 0

    @property
    def ended(self) -> bool:
        """Whether it will not change any more."""
        return self.status in ENDED


@dataclass(frozen=True)
class Order:
    """A job to start: a name, what to score with which deployment, and where the rows go."""

    name: str
    deployment: str
    input_uri: str
    output_uri: str


class BatchJobs:
    """Jobs of the batch endpoints of any workspace."""

    def __init__(self, arm: Arm, credential: TokenCredential, *, audience: str = PUBLIC_AUDIENCE) -> None:
        self._arm, self._credential, self._audience = arm, credential, audience
        self._services: dict[str, Arm] = {}
        self._ended: dict[str, BatchJob] = {}
        """Jobs that will not change any more; each look asks for them again."""
        self._lock = threading.Lock()

    def start(self, endpoint: Endpoint, order: Order) -> None:
        """Start a job, once: a job of that name which exists is the job that was asked for.

        No failed file is tolerated, whatever the deployment allows, so that a partial failure fails the job.
        """
        body = {
            "properties": {
                "name": order.name,
                "errorThreshold": 0,
                "inputData": {"sample": {"jobInputType": _input_type(order.input_uri), "uri": order.input_uri}},
                "outputData": {"score": {"jobOutputType": "UriFile", "uri": order.output_uri}},
            }
        }
        try:
            reply = self._invoke(endpoint.scoring_uri, order, body)
        except Conflict:
            return
        if reply.get("name") != order.name:
            raise Permanent(f"Azure started job {reply.get('name')} in place of {order.name}: it cannot be followed")

    def _invoke(self, uri: str, order: Order, body: Json) -> Json:
        import requests

        what = f"starting job {order.name} on {order.deployment}"
        headers = {
            "Authorization": f"Bearer {self._token()}",
            "azureml-model-deployment": order.deployment,
            "repeatability_request-id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{uri}#{order.name}")),
        }
        try:
            reply = requests.post(uri, json=body, headers=headers, timeout=(CONNECT_SECONDS, READ_SECONDS))
        except requests.RequestException as error:
            raise Temporary(f"{what}: no answer: {error}") from error
        try:
            found: Any = reply.json()
        except ValueError:
            found = None
        if reply.status_code >= 400:
            raise from_status(reply.status_code, what, error_text(found))
        return found if isinstance(found, dict) else {}

    def read(self, endpoint_id: str, name: str) -> BatchJob | None:
        """The job of that name in the endpoint's workspace, or None when there is none."""
        path = f"{workspace_of(endpoint_id)}/jobs/{quote(name)}"
        if path in self._ended:
            return self._ended[path]
        body = self._arm.get(path, API_VERSION)
        job = None if body is None else _job(body)
        if job is not None and job.ended:
            if len(self._ended) >= MOST_REMEMBERED:
                self._ended.clear()
            self._ended[path] = job
        return job

    def cancel(self, endpoint_id: str, name: str) -> None:
        """Ask for the end of a job; one that has ended already is no error."""
        try:
            self._arm.post(f"{workspace_of(endpoint_id)}/jobs/{quote(name)}/cancel", API_VERSION)
        except Temporary:
            raise
        except Permanent:
            found = self.read(endpoint_id, name)
            if found is not None and not found.ended:
                raise

    def of(self, endpoint_id: str, deployment: str, most: int) -> tuple[BatchJob, ...]:
        """The newest jobs of one deployment, newest first, at most `most`."""
        workspace, name = workspace_of(endpoint_id), endpoint_id.rsplit("/", 1)[-1]
        path = f"/mferp/managementfrontend{workspace}/batchEndpoints/{name}/deployments/{deployment}/jobs"
        found = []
        for body in self._service(workspace).pages(path, DATA_PLANE_VERSION):
            found.append(_job(body, deployment))
            if len(found) == most:
                break
        return tuple(sorted(found, key=lambda job: job.created, reverse=True))

    def failure(self, endpoint_id: str, name: str) -> str:
        """Why a job failed, in Azure's words; empty when Azure does not say."""
        workspace = workspace_of(endpoint_id)
        try:
            service = self._service(workspace)
            details = service.read_url(f"{service.url}/history/v1.0{workspace}/runs/{quote(name)}/details")
        except CloudError:
            return ""
        error = details.get("error")
        return error_text(error) if isinstance(error, dict) and error.get("error") else ""

    def _service(self, workspace: str) -> Arm:
        """The service's own host for a workspace, as the workspace itself says (one ARM GET and one discovery)."""
        with self._lock:
            if workspace not in self._services:
                self._services[workspace] = Arm(self._discovered(workspace), self._audience, self._credential)
            return self._services[workspace]

    def _discovered(self, workspace: str) -> str:
        import requests

        body = self._arm.get(workspace, API_VERSION) or {}
        url = str((body.get("properties") or {}).get("discoveryUrl") or "")
        if not url.startswith("https://"):
            raise Permanent(f"workspace {workspace} tells no discoveryUrl: its jobs cannot be listed")
        try:
            reply = requests.get(url, timeout=(CONNECT_SECONDS, READ_SECONDS))
            reply.raise_for_status()
            return str(reply.json()["api"])
        except (requests.RequestException, ValueError, KeyError) as error:
            raise Temporary(f"GET {url}: the service's hosts could not be read: {error}") from error

    def _token(self) -> str:
        with mapped("getting a token for batch jobs"):
            return self._credential.get_token(f"{self._audience.rstrip('/')}/.default").token


def _input_type(uri: str) -> str:
    """A path whose last part has a suffix is a file."""
    return "UriFile" if "." in uri.rstrip("/").rsplit("/", 1)[-1] and not uri.endswith("/") else "UriFolder"


def _job(body: Json, deployment: str = "") -> BatchJob:
    properties = body.get("properties") or {}
    counts = properties.get("properties") or {}
    failed = (str(counts.get(f"batch.{name}") or "0") for name in _FAILED_COUNTS)
    tags = properties.get("tags") or {}
    return BatchJob(
        name=str(body["name"]),
        status=str(properties.get("status") or ""),
        created=_created(body),
        deployment=deployment or str(tags.get("azureml.deploymentname") or ""),
        failed=max(int(text) if text.isdigit() else 0 for text in failed),
    )


def _created(body: Json) -> datetime:
    text = str((body.get("systemData") or {}).get("createdAt") or "")
    try:
        at = datetime.fromisoformat(text)
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    except ValueError as error:
        raise Temporary(f"job {body.get('name')} tells no time of creation: {text!r}") from error
