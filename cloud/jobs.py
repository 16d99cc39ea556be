"""Jobs of an Azure ML workspace: start one from its YAML under a name of our choosing, and ask how it is doing.

The name makes starting idempotent: a job of that name that exists is the job that was asked for. azure-ai-ml is used
because a job's YAML is its language; it is imported at the first call only (seconds).
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from cloud.errors import CloudError, NotFound, Permanent, mapped
from cloud.models import Models, Place


class Jobs:
    """Jobs of any workspace, with the SDK clients of `models`."""

    def __init__(self, models: Models) -> None:
        self._models = models

    def submit(self, workspace: Place, name: str, yaml_text: str, *, tags: Mapping[str, str]) -> bool:
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

    def _create(self, workspace: Place, name: str, job: Any) -> None:
        from azure.ai.ml.exceptions import MlException

        try:
            self._models.client(workspace).jobs.create_or_update(job)
        except MlException as error:  # its own checks; what the service answers is another exception
            raise _refused(name, error) from error

    def status(self, workspace: Place, name: str) -> str | None:
        """Azure's word for the job's state (`Running`, `Completed`, `Failed` ...), or None when there is none."""
        try:
            with mapped(f"looking up job {name}"):
                status = self._models.client(workspace).jobs.get(name).status
        except NotFound:
            return None
        return str(getattr(status, "value", status))


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
