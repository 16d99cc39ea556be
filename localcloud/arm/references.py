"""The many ways in which a request names an asset or a place: ids, short names, datastore paths, URLs. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

_VERSIONED = re.compile(
    r"(?:^|/)(?P<kind>models|codes|environments|data|components)/(?P<name>[^/]+)/(?P<by>versions|labels)/(?P<which>[^/]+)/?$",
    re.IGNORECASE,
)
_SHORT = re.compile(r"(?:azureml:)?(?P<name>[^:/@]+)(?::(?P<version>[^:/@]+)|@(?P<label>[^:/@]+))")
_REGISTRY = re.compile(r"azureml://registries/(?P<registry>[^/]+)/", re.IGNORECASE)
_DATASTORE = re.compile(r"azureml://(?:.*?/)?datastores/(?P<datastore>[^/]+)/paths/?(?P<path>.*)", re.IGNORECASE)
_ARM_DATASTORE = re.compile(r"/subscriptions/.*/datastores/(?P<datastore>[^/]+)/paths/(?P<path>.*)", re.IGNORECASE)
_JOB_OUTPUT = re.compile(
    r"azureml://jobs/(?P<job>[^/]+)/outputs/(?P<output>[^/]+)(?:/paths/?(?P<path>.*))?", re.IGNORECASE
)


@dataclass(frozen=True)
class AssetReference:
    """One version of an asset, or the one that a label points to."""

    registry: str | None
    """None: the workspace's own."""
    kind: str
    name: str
    version: str | None
    label: str | None


@dataclass(frozen=True)
class DatastorePath:
    """A path in a datastore."""

    datastore: str
    path: str


def asset_reference(text: str, kind: str) -> AssetReference | None:
    """The asset that `text` names, if it names one; `kind` is what a short name stands for."""
    registry = _REGISTRY.match(text)
    name = registry.group("registry") if registry else None
    if found := _VERSIONED.search(text):
        version = found.group("which") if found.group("by").lower() == "versions" else None
        label = None if version else found.group("which")
        return AssetReference(name, found.group("kind").lower(), found.group("name"), version, label)
    if short := _SHORT.fullmatch(text):
        return AssetReference(None, kind, short.group("name"), short.group("version"), short.group("label"))
    return None


def datastore_path(uri: str) -> DatastorePath | None:
    """The datastore path that a URI (short, long or job output) stands for."""
    if job := _JOB_OUTPUT.match(uri):
        return DatastorePath(
            "workspaceblobstore", job_output_path(job.group("job"), job.group("output"), job.group("path") or "")
        )
    found = _DATASTORE.match(uri) or _ARM_DATASTORE.match(uri)
    return DatastorePath(found.group("datastore"), unquote(found.group("path")).strip("/")) if found else None


def job_output_path(job: str, output: str, path: str = "") -> str:
    """Where a job's output lies in the workspace's default datastore, as Azure ML places it."""
    return f"azureml/{job}/{output}" + (f"/{path.strip('/')}" if path.strip("/") else "")
