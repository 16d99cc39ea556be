"""Files that a policy names: `azureml://` paths of a workspace's datastores, and https:// blob addresses.

A datastore is looked up with one raw ARM GET and its bytes are read with the app's managed identity, so that neither
azure-ai-ml (seconds to import) nor an account key is needed. A token is only ever sent to blob storage, never to
whatever host an https:// address names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urldefrag, urlsplit

from cloud.errors import NotFound, Permanent, from_status, mapped

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.storage.blob import BlobClient

API_VERSION = "2024-10-01"
_SHORT = re.compile(r"azureml://datastores/(?P<datastore>[^/]+)/paths/(?P<path>.+)", re.IGNORECASE)
_LONG = re.compile(
    r"azureml://subscriptions/(?P<subscription>[^/]+)/resourcegroups/(?P<group>[^/]+)"
    r"(/providers/Microsoft\.MachineLearningServices)?/workspaces/(?P<workspace>[^/]+)"
    r"/datastores/(?P<datastore>[^/]+)/paths/(?P<path>.+)",
    re.IGNORECASE,
)
_BLOB_HOST = re.compile(r"[a-z0-9]+\.(z\d+\.)?blob\.(core\.[a-z.]+|storage\.azure\.net)")


@dataclass(frozen=True)
class Workspace:
    """Where a short `azureml://datastores/...` address is looked up."""

    subscription_id: str
    resource_group: str
    name: str


@dataclass(frozen=True)
class Address:
    """A file in a datastore of one workspace."""

    workspace: Workspace
    datastore: str
    path: str


def parse(uri: str, home: Workspace) -> Address | None:
    """The parts of an `azureml://` address, or None for an https:// one; Permanent for anything else."""
    if match := _LONG.fullmatch(uri):
        workspace = Workspace(match["subscription"], match["group"], match["workspace"])
        return Address(workspace, match["datastore"], unquote(match["path"]))
    if match := _SHORT.fullmatch(uri):
        return Address(home, match["datastore"], unquote(match["path"]))
    if uri.startswith("https://"):
        return None
    raise Permanent(
        f"{uri!r} names no file: write azureml://datastores/NAME/paths/PATH, the same behind "
        "azureml://subscriptions/.../workspaces/WORKSPACE/, or the https:// address of a blob"
    )


class Datastores:
    """Reads files by address. `own_account` is the app's own blob endpoint, which is trusted with a token too."""

    def __init__(self, arm_url: str, arm_audience: str, credential: TokenCredential, *, own_account: str = "") -> None:
        self._arm_url, self._arm_audience, self._credential = arm_url.rstrip("/"), arm_audience, credential
        self._own_host = urlsplit(own_account).netloc
        self._arm: Any = None
        self._urls: dict[tuple[Workspace, str], str] = {}

    def etag(self, uri: str, home: Workspace) -> str:
        """The file's present ETag: what tells whether a copy of it is still good."""
        with mapped(f"looking up {_shown(uri)}"):
            return str(self._blob(uri, home).get_blob_properties().etag)

    def download(self, uri: str, home: Workspace, path: Path) -> str:
        """Stream the file to `path` and return the ETag of what was read."""
        with mapped(f"downloading {_shown(uri)}"), path.open("wb") as file:
            stream = self._blob(uri, home).download_blob()
            stream.readinto(file)
            return str(stream.properties.etag)

    def _blob(self, uri: str, home: Workspace) -> BlobClient:
        from azure.storage.blob import BlobClient

        address = parse(uri, home)
        if address is None:
            url, trusted = uri, self._is_storage(uri)
        else:
            container = self._container_url(address.workspace, address.datastore)
            url, trusted = f"{container}/{quote(address.path.lstrip('/'))}", True
        return BlobClient.from_blob_url(
            url, credential=self._credential if trusted else None, connection_timeout=5, read_timeout=60
        )

    def _is_storage(self, uri: str) -> bool:
        parts = urlsplit(uri)
        if "sig=" in parts.query:
            return False  # a shared access signature brings its own permission
        return parts.netloc == self._own_host or _BLOB_HOST.fullmatch(parts.netloc.lower()) is not None

    def _container_url(self, workspace: Workspace, datastore: str) -> str:
        key = (workspace, datastore)
        if key not in self._urls:
            self._urls[key] = _container_of(self._properties(workspace, datastore), datastore)
        return self._urls[key]

    def _properties(self, workspace: Workspace, datastore: str) -> dict[str, Any]:
        from azure.core.rest import HttpRequest

        what = f"looking up datastore {datastore} of workspace {workspace.name}"
        url = (
            f"{self._arm_url}/subscriptions/{quote(workspace.subscription_id)}/resourceGroups/"
            f"{quote(workspace.resource_group)}/providers/Microsoft.MachineLearningServices/workspaces/"
            f"{quote(workspace.name)}/datastores/{quote(datastore)}?api-version={API_VERSION}"
        )
        with mapped(what):
            reply = self._pipeline().send_request(HttpRequest("GET", url))
        if reply.status_code == 404:
            raise NotFound(f"{what}: there is none", status=404)
        if reply.status_code != 200:
            raise from_status(reply.status_code, what, reply.text())
        properties: dict[str, Any] = reply.json()["properties"]
        return properties

    def _pipeline(self) -> Any:
        if self._arm is None:
            from azure.core import PipelineClient
            from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryPolicy

            token = BearerTokenCredentialPolicy(self._credential, f"{self._arm_audience.rstrip('/')}/.default")
            self._arm = PipelineClient(
                self._arm_url, policies=[RetryPolicy(retry_total=2), token], connection_timeout=5, read_timeout=20
            )
        return self._arm


def _container_of(properties: dict[str, Any], datastore: str) -> str:
    container = properties.get("containerName") or properties.get("filesystem")
    if not container:
        kind = properties.get("datastoreType")
        raise Permanent(f"datastore {datastore} is of type {kind}: only blob and data lake datastores can be read")
    protocol, suffix = properties.get("protocol") or "https", properties.get("endpoint") or "core.windows.net"
    # A fragment is never part of what is asked for: an account behind a custom address may be given with one.
    account = urldefrag(f"{protocol}://{properties['accountName']}.blob.{suffix}").url
    return f"{account}/{container}"


def _shown(uri: str) -> str:
    """The address without its query: a shared access signature is a secret."""
    return uri.split("?", 1)[0]
