"""Data assets of a workspace, as raw ARM bodies: where a deployment's data collector puts what it collects.

azure-ai-ml makes one for each collection of a deployment and names it in the deployment's body; the service collects
into the folder to which the asset points.
"""

from __future__ import annotations

from cloud.arm import Arm

API_VERSION = "2024-10-01"
COLLECTED = "azureml://datastores/workspaceblobstore/paths/modelDataCollector"
"""Where azure-ai-ml has collectors write, by endpoint, deployment and collection."""


class DataAssets:
    """Folders that are registered as data."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    def folder(self, workspace_id: str, name: str, uri: str) -> str:
        """The id of version 1 of a folder asset; made when it is not there. A version never changes once made."""
        path = f"{workspace_id}/data/{name}/versions/1"
        if self._arm.get(path, API_VERSION) is None:
            self._arm.put(path, API_VERSION, {"properties": {"dataType": "uri_folder", "dataUri": uri}})
        return path
