"""Small files inside registered models, such as an MLflow model's `MLmodel`.

One raw ARM GET tells where a workspace's model lies, so that azure-ai-ml (seconds to import) is not needed. The files
of a registry's models lie in storage of Microsoft's, which the app's identity cannot read: they are not looked for.
"""

from __future__ import annotations

import re

from cloud.arm import Arm
from cloud.datastores import Datastores
from cloud.errors import NotFound, Permanent
from cloud.models import Place

API_VERSION = "2024-10-01"
MLFLOW = "mlflow_model"
_WORKSPACE_MODEL = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
    r"/providers/Microsoft\.MachineLearningServices/workspaces/(?P<workspace>[^/]+)/models/[^/]+/versions/[^/]+",
    re.IGNORECASE,
)


class ModelFiles:
    """Reads them with the app's identity."""

    def __init__(self, arm: Arm, datastores: Datastores) -> None:
        self._arm, self._datastores = arm, datastores

    def mlmodel(self, model_id: str, *, at_most: int) -> bytes | None:
        """The `MLmodel` of an MLflow model; None for any other kind of model, and where it cannot be read."""
        found = _WORKSPACE_MODEL.fullmatch(model_id)
        body = self._arm.get(model_id, API_VERSION) if found else None
        properties = (body or {}).get("properties") or {}
        if found is None or properties.get("modelType") != MLFLOW or not properties.get("modelUri"):
            return None
        home = Place(found["subscription"], found["group"], found["workspace"])
        try:
            return self._datastores.read(f"{str(properties['modelUri']).rstrip('/')}/MLmodel", home, at_most=at_most)
        except (NotFound, Permanent):
            return None
