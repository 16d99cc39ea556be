"""A local cloud without the app, and the real azure-ai-ml pointed at it, for the tests of the management plane."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import requests
from azure.ai.ml import MLClient
from azure.ai.ml.entities import ManagedOnlineDeployment, ManagedOnlineEndpoint, Model
from azure.identity import ManagedIdentityCredential

from localcloud.settings import Settings
from localcloud.supervisor import Stack

T = TypeVar("T")
SIZE = "Standard_F2s_v2"
_PROCESS_KEYS = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "IDENTITY_ENDPOINT", "IDENTITY_HEADER")


class ArmCloud:
    """One running cloud: SDK clients, raw ARM calls, and short ways to what most tests start from."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.env = stack, stack.env
        self.url = stack.env["LOCALCLOUD_URL"]
        self.folder = stack.folder
        self.credential = ManagedIdentityCredential()
        self.ml = self._client(
            stack.settings.subscription_id, stack.settings.resource_group, workspace_name=stack.settings.workspace
        )
        self.workspace_id = (
            f"/subscriptions/{stack.settings.subscription_id}/resourceGroups/{stack.settings.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{stack.settings.workspace}"
        )

    def _client(self, *scope: str, **names: Any) -> MLClient:
        return MLClient(
            self.credential,
            *scope,
            cloud=self.env["AZUREML_CLOUD_NAME"],
            cloud_metadata=json.loads(self.env["AZUREML_CLOUD_METADATA"]),
            enable_telemetry=False,
            retry_total=0,
            **names,
        )

    def registry(self) -> MLClient:
        """The SDK on the registry."""
        return self._client(registry_name=self.stack.settings.registry)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """One raw request to ARM, with a token; `path` may be a whole address."""
        token = self.credential.get_token("https://management.azure.com/.default").token
        url = path if path.startswith("https://") else f"{self.url}{path}?api-version=2024-10-01"
        return requests.request(
            method, url, json=body, headers={"Authorization": f"Bearer {token}", **headers}, timeout=10
        )

    def endpoint_path(self, name: str) -> str:
        """The ARM path of an endpoint."""
        return f"{self.workspace_id}/onlineEndpoints/{name}"

    def ended(self, accepted: requests.Response) -> dict[str, Any]:
        """Poll an accepted operation to its end and give its status body."""
        uri = accepted.headers["Azure-AsyncOperation"]

        def status() -> dict[str, Any] | None:
            body: dict[str, Any] = self.call("GET", uri).json()
            return body if body["status"] != "Updating" else None

        return until(status)

    def model(self, name: str, version: str | None = None) -> Model:
        """A registered model of one real file that scikit-learn can load."""
        return self.ml.models.create_or_update(Model(name=name, version=version, path=str(self.model_folder())))

    def model_folder(self) -> Path:
        """A folder with a trained model, made once."""
        folder = self.folder / "trained" / "classifier"
        if not folder.exists():
            import joblib
            from sklearn.linear_model import LogisticRegression

            folder.mkdir(parents=True)
            joblib.dump(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), folder / "model.joblib")
        return folder

    def endpoint(self, *deployments: str, traffic: dict[str, int] | None = None) -> str:
        """A new endpoint with these deployments of one model, and its traffic."""
        name = new_name("ep")
        endpoint = ManagedOnlineEndpoint(name=name, auth_mode="key")
        self.ml.online_endpoints.begin_create_or_update(endpoint).result()
        if deployments and not list(self.ml.models.list(name="shared-model")):
            self.model("shared-model", "1")
        for deployment in deployments:
            self.ml.online_deployments.begin_create_or_update(self.deployment(name, deployment)).result()
        if traffic:
            self.ended(self.put_traffic(name, traffic))
        return name

    def deployment(self, endpoint: str, name: str, **changes: Any) -> ManagedOnlineDeployment:
        """A deployment of the shared model."""
        values = {"model": "azureml:shared-model:1", "instance_type": SIZE, "instance_count": 1, **changes}
        return ManagedOnlineDeployment(name=name, endpoint_name=endpoint, **values)

    def put_traffic(
        self, endpoint: str, traffic: dict[str, int], mirror: dict[str, int] | None = None
    ) -> requests.Response:
        """A raw full-replace PUT of the endpoint; mirrorTraffic is left out when not given."""
        properties: dict[str, Any] = {"authMode": "Key", "traffic": traffic}
        if mirror is not None:
            properties["mirrorTraffic"] = mirror
        body = {"location": "westeurope", "identity": {"type": "SystemAssigned"}, "properties": properties}
        return self.call("PUT", self.endpoint_path(endpoint), body)


def new_name(prefix: str) -> str:
    """A name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def until(look: Callable[[], T | None], seconds: float = 20.0) -> T:
    """What `look` gives once it gives something; fails after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        if (found := look()) is not None:
            return found
        assert time.monotonic() < deadline, "nothing came within the deadline"
        time.sleep(0.05)


@contextmanager
def running(folder: Path, settings: Settings) -> Iterator[ArmCloud]:
    """Start a cloud, with this process's environment pointing at it as `.local/env` would."""
    with Stack(folder, app=None, settings=settings) as stack:
        before = {key: os.environ.get(key) for key in _PROCESS_KEYS}
        os.environ.update({key: stack.env[key] for key in _PROCESS_KEYS})
        try:
            yield ArmCloud(stack)
        finally:
            for key, value in before.items():
                if value is None:
                    os.environ.pop(key, None)
                else:
                    os.environ[key] = value
