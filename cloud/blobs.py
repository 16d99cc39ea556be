"""Blobs of one storage account: small documents with ETags, files, and leases.

Containers are made on first need, so that a new account works without a set-up step; on Azure the infrastructure
makes them first. Source of the conditions: learn.microsoft.com/rest/api/storageservices (conditional headers, lease).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cloud.errors import Conflict, NotFound, mapped
from cloud.storage_package import without_aiohttp

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.storage.blob import BlobClient, BlobLeaseClient, BlobServiceClient

T = TypeVar("T")

CONNECT_SECONDS, READ_SECONDS = 5, 20
RETRIES: dict[str, Any] = {"retry_total": 2, "initial_backoff": 0, "increment_base": 1, "random_jitter_range": 0.5}
"""Two more tries, about a second apart; the SDK's own minute would keep a webhook's caller waiting for its 503. What
fails nevertheless is tried again by the next look, or by whoever called."""


@dataclass(frozen=True)
class Listed:
    """One entry of a listing. `created` and `modified` are the service's own clock."""

    name: str
    etag: str
    created: datetime
    modified: datetime
    metadata: dict[str, str]
    size: int


@dataclass(frozen=True)
class Stored:
    """A document as it was read; write it back with its `etag`."""

    data: bytes
    etag: str
    created: datetime
    modified: datetime
    metadata: dict[str, str]


class Lease:
    """A held lease on one blob. Lost when it is not renewed in time."""

    def __init__(self, client: BlobLeaseClient) -> None:
        self._client = client

    def renew(self) -> None:
        """Start the lease's time again; Conflict when it was lost meanwhile."""
        with mapped("renewing a lease"):
            self._client.renew()

    def release(self) -> None:
        """Let go. A lease that was already lost is no error."""
        try:
            with mapped("releasing a lease"):
                self._client.release()
        except (Conflict, NotFound):
            return


class Blobs:
    """Blob containers of one account (`url` is its blob endpoint)."""

    def __init__(self, url: str, credential: TokenCredential) -> None:
        self._url, self._credential = url, credential
        self._client: BlobServiceClient | None = None

    def read(self, container: str, name: str) -> Stored | None:
        """The whole blob, or None when it (or its container) does not exist."""
        try:
            with mapped(f"reading {container}/{name}"):
                stream = self._blob(container, name).download_blob()
                properties = stream.properties
                return Stored(
                    stream.readall(),
                    properties.etag,
                    properties.creation_time,
                    properties.last_modified,
                    _texts(properties.metadata),
                )
        except NotFound:
            return None

    def write(
        self,
        container: str,
        name: str,
        data: bytes,
        *,
        etag: str | None = None,
        absent: bool = False,
        metadata: Mapping[str, str] | None = None,
        content_type: str | None = None,
    ) -> str:
        """Write a whole blob and return its new ETag. Conflict when `etag` is stale, or `absent` and it exists."""
        with without_aiohttp():
            from azure.storage.blob import ContentSettings

        options: dict[str, Any] = {"overwrite": True, "metadata": dict(metadata or {})}
        if content_type:
            options["content_settings"] = ContentSettings(content_type=content_type)
        options |= _conditions(etag, absent)
        with mapped(f"writing {container}/{name}"):
            reply = self._made(container, lambda: self._blob(container, name).upload_blob(data, **options))
        return str(reply["etag"])

    def upload(self, container: str, name: str, path: Path, *, absent: bool = False) -> bool:
        """Upload a file; False when `absent` and the blob was there already (nothing written)."""

        def send() -> None:
            with path.open("rb") as file:
                self._blob(container, name).upload_blob(file, overwrite=not absent)

        try:
            with mapped(f"uploading {container}/{name}"):
                self._made(container, send)
        except Conflict:
            if absent:
                return False
            raise
        return True

    def download(self, container: str, name: str, path: Path) -> bool:
        """Stream a blob into a file; False when there is none."""
        try:
            with mapped(f"downloading {container}/{name}"), path.open("wb") as file:
                self._blob(container, name).download_blob().readinto(file)
        except NotFound:
            path.unlink(missing_ok=True)
            return False
        return True

    def append(self, container: str, name: str, data: bytes, *, position: int) -> int:
        """Add to the end of an append blob, which must be at `position` (0: made when there is none); its new size.

        Conflict when it is longer or shorter: then somebody else wrote, or this very call did and its answer was lost.
        """
        with mapped(f"appending to {container}/{name}"):
            self._made(container, lambda: self._append(self._blob(container, name), data, position))
        return position + len(data)

    def _append(self, blob: BlobClient, data: bytes, position: int) -> None:
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceExistsError

        if position == 0:
            with suppress(ResourceExistsError):
                blob.create_append_blob(match_condition=MatchConditions.IfMissing)
        blob.append_block(data, appendpos_condition=position)

    def size(self, container: str, name: str) -> int | None:
        """Bytes of a blob, or None when there is none."""
        try:
            with mapped(f"reading {container}/{name}"):
                return int(self._blob(container, name).get_blob_properties().size)
        except NotFound:
            return None

    def list(self, container: str, prefix: str = "") -> Iterator[Listed]:
        """Blobs under a prefix in name order, with their metadata; nothing when the container does not exist."""
        try:
            with mapped(f"listing {container}/{prefix}"):
                pages = self._service().get_container_client(container).list_blobs(prefix, include=["metadata"])
                for one in pages:
                    yield Listed(
                        one.name, one.etag, one.creation_time, one.last_modified, _texts(one.metadata), one.size
                    )
        except NotFound:
            return

    def folders(self, container: str, prefix: str = "") -> Iterator[str]:
        """Names of the folders right under `prefix` (empty, or ending with `/`), in name order."""
        with without_aiohttp():
            from azure.storage.blob import BlobPrefix

        try:
            with mapped(f"listing {container}/{prefix}"):
                for one in self._service().get_container_client(container).walk_blobs(prefix or None):
                    if isinstance(one, BlobPrefix):
                        yield one.name[len(prefix) :].rstrip("/")
        except NotFound:
            return

    def delete(self, container: str, name: str) -> bool:
        """Delete a blob; False when there was none."""
        try:
            with mapped(f"deleting {container}/{name}"):
                self._blob(container, name).delete_blob()
        except NotFound:
            return False
        return True

    def lease(self, container: str, name: str, seconds: int = 60) -> Lease | None:
        """Take the lease of a blob (made empty when absent); None when somebody else holds it."""
        try:
            return self._acquire(container, name, seconds)
        except NotFound:
            with suppress(Conflict):  # somebody else made it first
                self.write(container, name, b"", absent=True)
            return self._acquire(container, name, seconds)

    def _acquire(self, container: str, name: str, seconds: int) -> Lease | None:
        try:
            with mapped(f"leasing {container}/{name}"):
                return Lease(self._blob(container, name).acquire_lease(seconds))
        except Conflict:
            return None

    def _made(self, container: str, call: Callable[[], T]) -> T:
        """Run a write; where the container is missing, make it and run the write once more."""
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        try:
            return call()
        except ResourceNotFoundError:
            with suppress(ResourceExistsError):  # made by another worker meanwhile
                self._service().create_container(container)
            return call()

    def _blob(self, container: str, name: str) -> BlobClient:
        return self._service().get_blob_client(container, name)

    def _service(self) -> BlobServiceClient:
        if self._client is None:
            with without_aiohttp():
                from azure.storage.blob import BlobServiceClient

            self._client = BlobServiceClient(
                self._url,
                credential=self._credential,
                connection_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                **RETRIES,
            )
        return self._client


def _conditions(etag: str | None, absent: bool) -> dict[str, Any]:
    from azure.core import MatchConditions

    if absent:
        # The blob client turns overwrite=False into If-None-Match: * .
        return {"overwrite": False}
    if etag is not None:
        return {"etag": etag, "match_condition": MatchConditions.IfNotModified}
    return {}


def _texts(metadata: Mapping[str, str | None] | None) -> dict[str, str]:
    """Metadata as it was written: a listing gives an empty value as None."""
    return {name: value or "" for name, value in (metadata or {}).items()}
