"""The files behind assets: found by any kind of reference, downloaded once per version to this machine.

A version's folder lies in one named with its creation time, so that one deleted and registered again never meets old
files.
"""

from __future__ import annotations

import asyncio
import shutil
import ssl
import uuid
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import aiohttp

from localcloud.arm.datastores import Datastores
from localcloud.arm.envelope import invalid
from localcloud.arm.paths import Scope, registry_scope, workspace_scope
from localcloud.arm.references import asset_reference, datastore_path
from localcloud.arm.store import AssetVersion, Store
from localcloud.seams import Cloud, ServingFailed

_URI_FIELDS = {"models": "modelUri", "codes": "codeUri", "data": "dataUri"}
_DOWNLOAD_SECONDS = 120.0


@dataclass(frozen=True)
class LocalAsset:
    """One asset version and the folder that its files come to."""

    name: str
    version: str
    uri: str
    folder: Path
    keep_name: bool
    """Whether the registered folder or file keeps its own name inside `folder` (models do, code does not)."""


class AssetFiles:
    """Finds assets in the store and their bytes in storage."""

    def __init__(self, cloud: Cloud, store: Store, datastores: Datastores) -> None:
        self._cloud, self._store, self._datastores = cloud, store, datastores
        self._root = cloud.folder / "assets"
        self._locks: defaultdict[Path, asyncio.Lock] = defaultdict(asyncio.Lock)

    def model(self, scope: Scope, reference: str) -> LocalAsset:
        """The model that an id, a short name or a plain path names."""
        return self._locate(scope, reference, "models")

    def code(self, scope: Scope, reference: str) -> LocalAsset:
        """The code folder that an id or a plain path names."""
        return self._locate(scope, reference, "codes")

    def data(self, scope: Scope, reference: str) -> LocalAsset:
        """The data that an id, a short name or a plain path names."""
        return self._locate(scope, reference, "data")

    def version(self, scope: Scope, reference: str, kind: str) -> tuple[Scope, str, AssetVersion] | None:
        """(scope, name, version) of a referenced asset; None when the text is no asset reference; 400 when missing."""
        parsed = asset_reference(reference, kind)
        if parsed is None or parsed.kind != kind:
            return None
        settings = self._cloud.settings
        owner = registry_scope(settings) if parsed.registry else scope
        if not parsed.registry and scope.is_registry:
            owner = workspace_scope(settings)
        asset = self._store.asset(owner, kind, parsed.name)
        found = None
        if asset and parsed.version:
            found = asset.versions.get(parsed.version)
        elif asset and asset.versions:
            found = asset.newest_first()[0]
        if asset is None or found is None:
            raise invalid(f"The asset {reference} was not found. Register it, or correct the reference.", field=kind)
        return owner, asset.name, found

    def _locate(self, scope: Scope, reference: str, kind: str) -> LocalAsset:
        keep_name = kind == "models"
        if (found := self.version(scope, reference, kind)) is None:
            # A plain path has no versions, and what lies there may change: a new folder each time.
            place = self._root / "paths" / uuid.uuid4().hex
            return LocalAsset(_base_name(reference), "1", reference, place, keep_name)
        owner, name, version = found
        # Ends like Azure's own path, .../azureml-models/NAME/VERSION: scoring scripts read both from AZUREML_MODEL_DIR.
        folder = self._root / owner.kind / kind / f"{version.created:%Y%m%dT%H%M%S%f}" / name / version.version
        return LocalAsset(name, version.version, str(version.properties.get(_URI_FIELDS[kind])), folder, keep_name)

    def empty_folder(self) -> Path:
        """For deployments without a model."""
        folder = self._root / "none"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    async def fetch(self, asset: LocalAsset) -> Path:
        """Bring the asset's files here, once; ServingFailed when they are not there."""
        async with self._locks[asset.folder]:
            if not asset.folder.exists():
                await self._fetch_whole(asset)
        return asset.folder

    async def _fetch_whole(self, asset: LocalAsset) -> None:
        part = asset.folder.with_name(asset.folder.name + ".part")
        await asyncio.to_thread(shutil.rmtree, part, ignore_errors=True)
        _make_folder(part)
        await self.download(asset.uri, part / _base_name(asset.uri) if asset.keep_name else part)
        if asset.keep_name:
            _unwrap_single_file(part / _base_name(asset.uri))
        part.rename(asset.folder)

    async def download(self, uri: str, to: Path) -> None:
        """A folder's files, or the one file, of a datastore path, a blob or a URL, below `to`."""
        _make_folder(to)
        try:
            if place := self.blob_of(uri):
                await self._cloud.blobs.download_folder(*place, to)
            elif uri.startswith(("https://", "http://")):
                await self._download_url(uri, to)
            else:
                raise ServingFailed("BadArgument", f"{uri} is not a place that files can be downloaded from.")
        except (OSError, aiohttp.ClientError, TimeoutError) as error:
            raise ServingFailed("ResourceNotFound", f"The files at {uri} cannot be downloaded: {error}") from error
        if _is_empty(to):
            raise ServingFailed("ResourceNotFound", f"There are no files at {uri}.")

    def blob_of(self, uri: str) -> tuple[str, str] | None:
        """(container, path) of a place in this cloud's storage; None for any other."""
        if place := datastore_path(uri):
            return self._datastores.container_of(place.datastore), place.path
        base = self._cloud.blobs.blob_url.rstrip("/") + "/"
        if uri.startswith(base):
            container, _, path = unquote(urlsplit(uri[len(base) :]).path).partition("/")
            return container, path
        return None

    async def _download_url(self, url: str, to: Path) -> None:
        context = ssl.create_default_context()
        context.load_verify_locations(self._cloud.ca_file)
        timeout = aiohttp.ClientTimeout(total=_DOWNLOAD_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(ssl=context)) as session,
            session.get(url, raise_for_status=True) as reply,
        ):
            with (to / _base_name(url)).open("wb") as file:
                async for chunk in reply.content.iter_chunked(1 << 20):
                    file.write(chunk)


def _make_folder(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)


def _is_empty(path: Path) -> bool:
    return not any(path.iterdir())


def _base_name(uri: str) -> str:
    name = PurePosixPath(unquote(urlsplit(uri).path).rstrip("/")).name
    return name if name not in ("", "..", "paths") else "model"


def _unwrap_single_file(folder: Path) -> None:
    """A registered file was downloaded as `model.pkl/model.pkl`: make it `model.pkl`."""
    entries = list(folder.iterdir())
    if len(entries) == 1 and entries[0].is_file() and entries[0].name == folder.name:
        moved = folder.with_name(folder.name + ".file")
        entries[0].rename(moved)
        folder.rmdir()
        moved.rename(folder)
