"""The event of a registered model version, in each shape that Event Grid delivers (facts: functions.md, section 1)."""

from __future__ import annotations

import uuid
from typing import Any

Json = dict[str, Any]
MODEL_REGISTERED = "Microsoft.MachineLearningServices.ModelRegistered"


def documented(workspace_id: str, model: str, version: str) -> Json:
    """As in the documentation: keys in PascalCase, the version a whole number."""
    return {
        "topic": workspace_id,
        "subject": f"models/{model}:{version}",
        "eventType": MODEL_REGISTERED,
        "eventTime": "2026-06-26T18:41:00.9584103Z",
        "id": str(uuid.uuid4()),
        "data": {"ModelName": model, "ModelVersion": int(version), "ModelTags": {}, "ModelProperties": {}},
        "dataVersion": "",
        "metadataVersion": "1",
    }


def recorded(workspace_id: str, model: str, version: str) -> Json:
    """As recorded from a workspace: keys in camelCase, the version a text, a time with an offset."""
    return {
        **documented(workspace_id, model, version),
        "eventTime": "2026-06-26T18:41:00.9584103+00:00",
        "data": {"modelName": model, "modelVersion": version, "modelTags": {}, "modelProperties": {}},
        "dataVersion": "2",
    }


def cloud_event(workspace_id: str, model: str, version: str) -> Json:
    """As CloudEvents 1.0."""
    event = documented(workspace_id, model, version)
    return {
        "specversion": "1.0",
        "id": event["id"],
        "source": workspace_id,
        "type": MODEL_REGISTERED,
        "subject": event["subject"],
        "time": event["eventTime"],
        "data": event["data"],
    }
