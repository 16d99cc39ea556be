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
from azure.ai.ml.entities import Model
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
        # Kept: a client that is collected while others work leaves its connections open, which is a warning.
        self._clients: list[MLClient] = []
        self.ml = self.fresh()
        self.workspace_id = (
            f"/subscriptions/{stack.settings.subscription_id}/resourceGroups/{stack.settings.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{stack.settings.workspace}"
        )

    def fresh(self, **options: Any) -> MLClient:
        """A new SDK client on the workspace: one that has not looked anything up yet."""
        settings = self.stack.settings
        scope = (settings.subscription_id, settings.resource_group)
        return self._client(*scope, workspace_name=settings.workspace, **options)

    def _client(self, *scope: str, **names: Any) -> MLClient:
        client = MLClient(
            self.credential,
            *scope,
            cloud=self.env["AZUREML_CLOUD_NAME"],
            cloud_metadata=json.loads(self.env["AZUREML_CLOUD_METADATA"]),
            **{"enable_telemetry": False, "retry_total": 0, **names},
        )
        self._clients.append(client)
        return client

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
        """Poll an accepted operation to its end (where operations are stepped, let it end); gives its status body."""
        assert accepted.ok, accepted.text
        uri = accepted.headers["Azure-AsyncOperation"]

        def status() -> dict[str, Any] | None:
            if "operations" in self.stack.settings.stepped:
                self.step()
            body: dict[str, Any] = self.call("GET", uri).json()
            return body if body["status"] != "Updating" else None

        return until(status)

    def step(self) -> None:
        """Let every operation end that waits for it."""
        url = f"{self.url}/localcloud/step"
        requests.post(url, json={"what": "operations"}, timeout=10).raise_for_status()

    def model(self, name: str, version: str | None = None) -> Model:
        """A registered model of one real file that scikit-learn can load."""
        made: Model = self.ml.models.create_or_update(Model(name=name, version=version, path=str(self.model_folder())))
        return made

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
        """A new endpoint with these deployments of one model, and its traffic. By raw calls: the SDK polls slowly."""
        name = new_name("ep")
        self.ended(self.put_traffic(name, {}))
        for deployment in deployments:
            assert self.ended(self.put_deployment(name, deployment))["status"] == "Succeeded"
        if traffic:
            self.ended(self.put_traffic(name, traffic))
        return name

    def put_deployment(self, endpoint: str, name: str, capacity: int = 1, **properties: Any) -> requests.Response:
        """A raw PUT of a deployment of the shared model."""
        if "model" not in properties and not list(self.ml.models.list(name="shared-model")):
            self.model("shared-model", "1")
        shared = f"{self.workspace_id}/models/shared-model/versions/1"
        values = {"endpointComputeType": "Managed", "instanceType": SIZE, "model": shared, **properties}
        body = {"location": "westeurope", "sku": {"name": "Default", "capacity": capacity}, "properties": values}
        return self.call("PUT", f"{self.endpoint_path(endpoint)}/deployments/{name}", body)

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
