"""The event of a registered model version, in the shapes that Azure ML has been seen to send.

Event Grid schema with PascalCase or camelCase data, integer or text versions, and CloudEvents. Keys of `data` are read
in any case. The version is checked against the subject, `models/{name}:{version}`, of which only the last colon splits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rollout.bad_input import BadInput, parsed, text_at

MODEL_REGISTERED = "Microsoft.MachineLearningServices.ModelRegistered"


@dataclass(frozen=True)
class Registered:
    """A version of a workspace's model was registered. `workspace_id` is the workspace's ARM id in lower case."""

    id: str
    workspace_id: str
    model: str
    version: str


def parse(raw: bytes | str) -> Registered | None:
    """The registration in an event, or None for an event of another type; BadInput names what cannot be read."""
    event = parsed(raw)
    kind = event.get("eventType") or event.get("type")
    if not isinstance(kind, str):
        raise BadInput("eventType", "is missing: an Event Grid event or a CloudEvent is expected")
    if kind != MODEL_REGISTERED:
        return None
    where = "topic" if "topic" in event else "source"
    workspace = text_at(event, where, where).lower()
    if "/workspaces/" not in workspace:
        raise BadInput(where, "is no Azure Machine Learning workspace")
    data = event.get("data")
    if not isinstance(data, dict):
        raise BadInput("data", "is missing: an object with ModelName and ModelVersion is expected")
    name, version = _named(data, "modelname"), _named(data, "modelversion")
    subject = str(event.get("subject") or "")
    head, colon, tail = subject.removeprefix("models/").rpartition(":")
    if colon:
        name, version = name or head, version or tail
    if not name or not version:
        raise BadInput("data.ModelName", "the event names no model and version, in data or in subject")
    if colon and (head, tail) != (name, version):
        raise BadInput("subject", f"{subject!r} speaks of another version than data ({name}:{version})")
    return Registered(text_at(event, "id", "id"), workspace.rstrip("/"), name, version)


def _named(data: dict[str, Any], name: str) -> str:
    for key, value in data.items():
        if key.lower() == name and isinstance(value, str | int) and not isinstance(value, bool):
            return str(value)
    return ""
