"""The data scientists' and engineers' side: everything that is done in the workspace, by the unpatched azure-ai-ml.

Two things have no public call in that SDK and go by ARM's REST API instead: a code asset that several deployments
share, and the list of deployments as they are now.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.monitoring import SetupFailed
from demo.schema import MODEL
from demo.web import NotReached, Web

if TYPE_CHECKING:
    import pandas as pd
    from azure.ai.ml import MLClient
    from azure.core.credentials import TokenCredential
    from azure.storage.blob import ContainerClient

ENDPOINT = "credit-default"
HERE = Path(__file__).resolve().parent
_SCORE = "credit-default-score"
_EXPORTS = "understudy_exports"
_CODE_PATH = "demo/score"
_POLL_SECONDS = 1
"""The SDK asks every 30 s by default how an endpoint is coming along."""


class Workspace:
    """One workspace and the storage account that it shares with Understudy."""

    def __init__(self, env: Mapping[str, str], arm: Web, credential: TokenCredential, chatter: Path) -> None:
        """`chatter` takes what the SDK prints: the terminal belongs to the timeline."""
        self._env, self._arm, self._credential, self._chatter = env, arm, credential, chatter
        self._client: MLClient | None = None
        self.id = (
            f"/subscriptions/{env['SUBSCRIPTION_ID']}/resourceGroups/{env['RESOURCE_GROUP']}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{env['WORKSPACE']}"
        )
        self.endpoint_id = f"{self.id}/onlineEndpoints/{ENDPOINT}"

    def create_endpoint(self) -> None:
        """An empty endpoint: Understudy never makes one."""
        from azure.ai.ml.entities import ManagedOnlineEndpoint

        with self._quiet() as client:
            client.online_endpoints.begin_create_or_update(
                ManagedOnlineEndpoint(name=ENDPOINT, auth_mode="key", tags={"team": "credit"})
            ).result()

    def scoring(self) -> tuple[str, str]:
        """The scoring address and a key."""
        with self._quiet() as client:
            endpoint = client.online_endpoints.get(ENDPOINT)
            return str(endpoint.scoring_uri), str(client.online_endpoints.get_keys(ENDPOINT).primary_key)

    def register_scoring(self) -> None:
        """The environment and the scoring code that the policy's deployments use."""
        from azure.ai.ml.entities import Environment

        with self._quiet() as client:
            client.environments.create_or_update(
                Environment(name=_SCORE, version="1", image="mcr.microsoft.com/azureml/minimal-py311-inference:latest")
            )
            container = self._default_container(client)
            container.upload_blob(f"{_CODE_PATH}/score.py", (HERE / "code" / "score.py").read_bytes(), overwrite=True)
            address = f"{container.url}/{_CODE_PATH}"
        path = f"{self.id}/codes/{_SCORE}/versions/1?api-version=2024-10-01"
        reply = self._arm.call("PUT", path, {"properties": {"codeUri": address, "isAnonymous": False}})
        if not reply.is_success:
            raise SetupFailed(f"the code asset was refused with {reply.status}: {reply.body}")

    def upload_data(self, frames: Mapping[str, pd.DataFrame], folder: Path) -> None:
        """Parquet files below `demo/` of the default datastore: the drift baseline and what to train on."""
        folder.mkdir(parents=True, exist_ok=True)
        with self._quiet() as client:
            container = self._default_container(client)
            for name, frame in frames.items():
                file = folder / f"{name}.parquet"
                frame.to_parquet(file, index=False)
                container.upload_blob(f"demo/{name}.parquet", file.read_bytes(), overwrite=True)

    def register_training(self) -> None:
        """The training component, and the datastore in which a job finds what Understudy exported."""
        from azure.ai.ml import load_component
        from azure.ai.ml.entities import AzureBlobDatastore

        with self._quiet() as client:
            account = client.datastores.get("workspaceblobstore").account_name
            client.datastores.create_or_update(
                AzureBlobDatastore(name=_EXPORTS, account_name=account, container_name="inference")
            )
            client.components.create_or_update(load_component(HERE / "jobs" / "component.yml"))

    def upload_policy(self) -> None:
        """The policy and its training job into Understudy's container: all that it is ever told."""
        from azure.storage.blob import ContainerClient

        url = f"{self._env['UNDERSTUDY_BLOB_URL']}/policies"
        with ContainerClient.from_container_url(url, credential=self._credential) as container:
            if not container.exists():
                container.create_container()
            for file in sorted((HERE / "policy").iterdir()):
                container.upload_blob(file.name, file.read_bytes(), overwrite=True)

    def register_model(self, folder: Path, version: str, description: str) -> None:
        """A new version, as a data scientist registers it. From here on nobody does anything."""
        from azure.ai.ml.entities import Model

        with self._quiet() as client:
            client.models.create_or_update(
                Model(name=MODEL, version=version, path=folder, type="custom_model", description=description)
            )

    def job_states(self) -> dict[str, str]:
        """Pipeline jobs by name, with Azure's word for their state."""
        return {job["name"]: str(job["properties"].get("status")) for job in self._list(f"{self.id}/jobs")}

    def deployments(self) -> dict[str, str]:
        """The endpoint's deployments as they are now, with the version of the model that each serves."""
        listed = self._list(f"{self.endpoint_id}/deployments")
        return {item["name"]: _version(str(item["properties"].get("model"))) for item in listed}

    def download_newest(self, container: str, prefix: str, folder: Path, suffix: str, *, count: int) -> list[Path]:
        """The last blobs, by name, of Understudy's account below `prefix` that end with `suffix`, into `folder`."""
        from azure.storage.blob import ContainerClient

        folder.mkdir(parents=True, exist_ok=True)
        files = []
        url = f"{self._env['UNDERSTUDY_BLOB_URL']}/{container}"
        with ContainerClient.from_container_url(url, credential=self._credential) as client:
            names = sorted(blob.name for blob in client.list_blobs(name_starts_with=prefix))
            for name in [name for name in names if name.endswith(suffix)][-count:]:
                file = folder / name.rsplit("/", 1)[1]
                file.write_bytes(client.download_blob(name).readall())
                files.append(file)
        return files

    def _list(self, path: str) -> list[dict[str, Any]]:
        """What is there now, or nothing while Azure cannot be reached: stories ask again until their deadline."""
        try:
            reply = self._arm.call("GET", f"{path}?api-version=2024-10-01")
        except NotReached:
            return []
        found: list[dict[str, Any]] = reply.body.get("value", []) if reply.is_success else []
        return found

    def _default_container(self, client: MLClient) -> ContainerClient:
        from azure.storage.blob import ContainerClient

        name = client.datastores.get("workspaceblobstore").container_name
        return ContainerClient.from_container_url(
            f"{self._env['UNDERSTUDY_BLOB_URL']}/{name}", credential=self._credential
        )

    @contextmanager
    def _quiet(self) -> Iterator[MLClient]:
        """The client, with its progress bars and dots going to a file."""
        with self._chatter.open("a") as file, redirect_stdout(file), redirect_stderr(file):
            if self._client is None:
                self._client = self._connect()
            yield self._client

    def _connect(self) -> MLClient:
        from azure.ai.ml import MLClient

        logging.getLogger("azure").setLevel(logging.ERROR)
        return MLClient(
            self._credential,
            self._env["SUBSCRIPTION_ID"],
            self._env["RESOURCE_GROUP"],
            self._env["WORKSPACE"],
            cloud=self._env["AZUREML_CLOUD_NAME"],
            cloud_metadata=json.loads(self._env["AZUREML_CLOUD_METADATA"]),
            enable_telemetry=False,
            polling_interval=_POLL_SECONDS,
        )


def _version(model_id: str) -> str:
    return model_id.rstrip("/").rsplit("/", 1)[-1]
