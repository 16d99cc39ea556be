"""Jobs of an Azure ML workspace: start one from its YAML under a name of our choosing, and ask how it is doing.

The name makes starting idempotent: a job of that name that exists is the job that was asked for. azure-ai-ml is used
because a job's YAML is its language; it is imported at the first call only (seconds).
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cloud.datastores import Workspace
from cloud.errors import CloudError, NotFound, Permanent, mapped

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.core.credentials import TokenCredential


class Jobs:
    """Jobs of any workspace that the credential may use. `cloud_name` and `cloud_metadata` only for other clouds."""

    def __init__(
        self, credential: TokenCredential, *, cloud_name: str = "", cloud_metadata: Mapping[str, str] | None = None
    ) -> None:
        self._credential, self._cloud_name, self._cloud_metadata = credential, cloud_name, cloud_metadata
        self._clients: dict[Workspace, MLClient] = {}

    def submit(self, workspace: Workspace, name: str, yaml_text: str, *, tags: Mapping[str, str]) -> bool:
        """Start the job that `yaml_text` describes as `name`; False when it was started before (nothing done)."""
        if self.status(workspace, name) is not None:
            return False
        job = _job(name, yaml_text, tags)
        try:
            with mapped(f"starting job {name}"):
                self._create(workspace, name, job)
        except CloudError:
            # A reply that was lost, or another worker that was faster: what counts is that the job is there.
            if self.status(workspace, name) is None:
                raise
            return False
        return True

    def _create(self, workspace: Workspace, name: str, job: Any) -> None:
        from azure.ai.ml.exceptions import MlException

        try:
            self._client(workspace).jobs.create_or_update(job)
        except MlException as error:  # its own checks; what the service answers is another exception
            raise _refused(name, error) from error

    def status(self, workspace: Workspace, name: str) -> str | None:
        """Azure's word for the job's state (`Running`, `Completed`, `Failed` ...), or None when there is none."""
        try:
            with mapped(f"looking up job {name}"):
                return str(self._client(workspace).jobs.get(name).status)
        except NotFound:
            return None

    def _client(self, workspace: Workspace) -> MLClient:
        if workspace not in self._clients:
            from azure.ai.ml import MLClient

            options: dict[str, Any] = {"enable_telemetry": False, "show_progress": False}
            if self._cloud_name:
                options |= {"cloud": self._cloud_name, "cloud_metadata": dict(self._cloud_metadata or {})}
            self._clients[workspace] = MLClient(
                self._credential, workspace.subscription_id, workspace.resource_group, workspace.name, **options
            )
        return self._clients[workspace]


def _job(name: str, yaml_text: str, tags: Mapping[str, str]) -> Any:
    from azure.ai.ml import load_job

    try:
        job = load_job(io.StringIO(yaml_text), params_override=[{"name": name}])
    except Exception as error:
        raise _refused(name, error) from error
    job.tags = {**(job.tags or {}), **tags}
    return job


def _refused(name: str, error: Exception) -> Permanent:
    """azure-ai-ml and marshmallow have many words for a job that cannot be; the author of the YAML needs the text."""
    return Permanent(f"job {name} cannot be started, its YAML is refused: {error}")
