"""The workspace's storage account for the parts of the cloud that need bytes: `seams.Blobs` over Azurite.

The synchronous SDK in threads: the same client code and certificates as everybody else's, and an aiohttp session less
to close.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from localcloud.azurite import ACCOUNT, ACCOUNT_KEY, Account

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient

#: The container behind a workspace's default datastore, as Azure names it up to a suffix.
WORKSPACE_CONTAINER = "azureml-blobstore"
_SAS_LIFETIME = timedelta(days=1)


def preload() -> None:
    """Load the SDK, which takes a while, when there is nothing else to do."""
    import azure.storage.blob

    del azure


class Storage:
    """Implements `localcloud.seams.Blobs`."""

    def __init__(self, account: Account, ca_file: Path) -> None:
        from azure.storage.blob import BlobServiceClient

        self.blob_url = account.blob_url
        self.connection_string = account.connection_string
        # The SDK builds https://{account}.blob.{suffix}; the fragment makes the rest of that vanish.
        self.account_name = f"localhost:{account.blob_port}/{ACCOUNT}#"
        self._client: BlobServiceClient = BlobServiceClient.from_connection_string(
            account.connection_string, connection_verify=str(ca_file)
        )

    def create_container(self, container: str) -> None:
        """Make it unless it is there."""
        from azure.core.exceptions import ResourceExistsError

        try:
            self._client.create_container(container)
        except ResourceExistsError:
            return

    def upload(self, container: str, name: str, data: bytes) -> None:
        """Write one blob over whatever was there; the container is made on first need."""
        self.create_container(container)
        self._client.get_blob_client(container, name).upload_blob(data, overwrite=True)

    async def download_folder(self, container: str, prefix: str, to: Path) -> None:
        """Every blob under `prefix` (or the one blob of that name) as files below `to`."""
        await asyncio.to_thread(self._download_folder, container, prefix, to)

    async def upload_folder(self, container: str, prefix: str, source: Path) -> None:
        """Every file below `source` (or that one file) as blobs under `prefix`."""
        await asyncio.to_thread(self._upload_folder, container, prefix, source)

    def sas_url(self, container: str, path: str = "") -> str:
        """A URL with a container-wide signature to read, write and list for a day."""
        from azure.storage.blob import ContainerSasPermissions, generate_container_sas

        now = datetime.now(UTC)
        signature = generate_container_sas(
            account_name=ACCOUNT,
            container_name=container,
            account_key=ACCOUNT_KEY,
            permission=ContainerSasPermissions(read=True, write=True, create=True, delete=True, list=True, add=True),
            start=now - timedelta(minutes=5),
            expiry=now + _SAS_LIFETIME,
        )
        where = "/".join([self.blob_url, container, *([quote(path.strip("/"))] if path.strip("/") else [])])
        return f"{where}?{signature}"

    def _download_folder(self, container: str, prefix: str, to: Path) -> None:
        client = self._client.get_container_client(container)
        prefix = prefix.strip("/")
        for name in client.list_blob_names(name_starts_with=prefix):
            rest = name[len(prefix) :]
            if rest and prefix and not rest.startswith("/"):
                continue  # a longer name that only begins alike: models/a and models/ab
            target = to / (rest.strip("/") or name.rsplit("/", 1)[-1])
            if not target.resolve().is_relative_to(to.resolve()):
                raise ValueError(f"blob {name!r} would be written outside of {to}")
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                client.download_blob(name).readinto(file)

    def _upload_folder(self, container: str, prefix: str, source: Path) -> None:
        self.create_container(container)
        files = [source] if source.is_file() else [path for path in sorted(source.rglob("*")) if path.is_file()]
        root = source.parent if source.is_file() else source
        for path in files:
            name = "/".join(part for part in (prefix.strip("/"), path.relative_to(root).as_posix()) if part)
            with path.open("rb") as file:
                self._client.get_blob_client(container, name).upload_blob(file, overwrite=True)
