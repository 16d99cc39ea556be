"""Files that a policy names: `azureml://` paths of a workspace's datastores, and https:// blob addresses.

A datastore is looked up with one raw ARM GET and its bytes are read with the app's managed identity, so that neither
azure-ai-ml (seconds to import) nor an account key is needed. A token is only ever sent to blob storage, never to
whatever host an https:// address names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urldefrag, urlsplit

from cloud.arm import Arm, Json
from cloud.errors import NotFound, Permanent, mapped
from cloud.models import Place
from cloud.storage_package import without_aiohttp

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
_BLOB_HOST = re.compile(
    r"[a-z0-9]+\.(z\d+\.)?blob\.(core\.(windows\.net|chinacloudapi\.cn|usgovcloudapi\.net)|storage\.azure\.net)"
)


@dataclass(frozen=True)
class Address:
    """A file in a datastore of one workspace."""

    workspace: Place
    datastore: str
    path: str


def parse(uri: str, home: Place) -> Address | None:
    """The parts of an `azureml://` address, or None for an https:// one; Permanent for anything else."""
    if match := _LONG.fullmatch(uri):
        workspace = Place(match["subscription"], match["group"], match["workspace"])
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
    """Reads files by address. `own_account` is the app's own blob endpoint, which is trusted with a token too.

    `home` is everywhere the workspace in which a short `azureml://datastores/...` is looked up.
    """

    def __init__(self, arm: Arm, credential: TokenCredential, *, own_account: str = "") -> None:
        self._arm, self._credential = arm, credential
        self._own_host = urlsplit(own_account).netloc
        self._urls: dict[tuple[Place, str], str] = {}

    def etag(self, uri: str, home: Place) -> str:
        """The file's present ETag: what tells whether a copy of it is still good."""
        with mapped(f"looking up {_shown(uri)}"):
            return str(self._blob(uri, home).get_blob_properties().etag)

    def length(self, uri: str, home: Place) -> int | None:
        """The file's size in bytes, or None when there is no such file."""
        try:
            with mapped(f"looking up {_shown(uri)}"):
                return int(self._blob(uri, home).get_blob_properties().size)
        except NotFound:
            return None

    def read(self, uri: str, home: Place, *, at_most: int) -> bytes:
        """A small file whole; Permanent when it has more than `at_most` bytes."""
        with mapped(f"reading {_shown(uri)}"):
            stream = self._blob(uri, home).download_blob()
            if stream.size > at_most:
                raise Permanent(f"{_shown(uri)} has {stream.size} bytes, and at most {at_most} are read")
            data: bytes = stream.readall()
            return data

    def download(self, uri: str, home: Place, path: Path) -> str:
        """Stream the file to `path` and return the ETag of what was read."""
        with mapped(f"downloading {_shown(uri)}"), path.open("wb") as file:
            stream = self._blob(uri, home).download_blob()
            stream.readinto(file)
            return str(stream.properties.etag)

    def _blob(self, uri: str, home: Place) -> BlobClient:
        with without_aiohttp():
            from azure.storage.blob import BlobClient

        address = parse(uri, home)
        url = uri
        if address is not None:
            container = self._container_url(address.workspace, address.datastore)
            url = f"{container}/{quote(address.path.lstrip('/'))}"
        credential = self._credential if self.trusts(url) else None
        return BlobClient.from_blob_url(url, credential=credential, connection_timeout=5, read_timeout=60)

    def trusts(self, uri: str) -> bool:
        """Whether the app's own token may be sent to this https:// address."""
        parts = urlsplit(uri)
        if "sig=" in parts.query:
            return False  # a shared access signature brings its own permission
        return parts.netloc == self._own_host or _BLOB_HOST.fullmatch(parts.netloc.lower()) is not None

    def _container_url(self, workspace: Place, datastore: str) -> str:
        key = (workspace, datastore)
        if key not in self._urls:
            self._urls[key] = _container_of(self._properties(workspace, datastore), datastore)
        return self._urls[key]

    def _properties(self, workspace: Place, datastore: str) -> Json:
        reply = self._arm.get(
            f"/subscriptions/{quote(workspace.subscription_id)}/resourceGroups/{quote(workspace.resource_group)}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{quote(workspace.workspace)}"
            f"/datastores/{quote(datastore)}",
            API_VERSION,
        )
        if reply is None:
            raise NotFound(f"workspace {workspace.workspace} has no datastore {datastore}", status=404)
        properties: Json = reply["properties"]
        return properties


def _container_of(properties: Json, datastore: str) -> str:
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
