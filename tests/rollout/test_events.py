"""The event of a registered version, in every shape that Azure has been seen to send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rollout.bad_input import BadInput
from rollout.events import MODEL_REGISTERED, Registered, parse

WORKSPACE = "/subscriptions/S/resourceGroups/RG/providers/Microsoft.MachineLearningServices/workspaces/WS"
PASCAL: dict[str, Any] = {
    "topic": WORKSPACE,
    "subject": "models/churn:20",
    "eventType": MODEL_REGISTERED,
    "eventTime": "2026-06-26T18:41:00.9584103Z",
    "id": "831e1650",
    "data": {"ModelName": "churn", "ModelVersion": 20, "ModelTags": {"stage": "candidate"}, "ModelProperties": {}},
    "dataVersion": "",
    "metadataVersion": "1",
}
CAMEL: dict[str, Any] = {
    **PASCAL,
    "eventTime": "2019-10-17T22:23:57.5350054+00:00",
    "data": {"modelName": "churn", "modelVersion": "20", "modelTags": {}, "modelProperties": {}},
    "dataVersion": "2",
}
CLOUD_EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "831e1650",
    "source": WORKSPACE,
    "type": MODEL_REGISTERED,
    "subject": "models/churn:20",
    "time": "2026-06-26T18:41:00.9584103Z",
    "data": {"ModelName": "churn", "ModelVersion": 20},
}


def event(**changes: Any) -> str:
    """The first shape with parts replaced; None leaves one out."""
    return json.dumps({key: value for key, value in {**PASCAL, **changes}.items() if value is not None})


@pytest.mark.parametrize("shape", [PASCAL, CAMEL, CLOUD_EVENT], ids=["PascalCase", "camelCase", "CloudEvent"])
def test_each_shape_says_the_same(shape: dict[str, Any]) -> None:
    assert parse(json.dumps(shape)) == Registered("831e1650", WORKSPACE.lower(), "churn", "20")


def test_only_the_last_colon_of_a_subject_splits() -> None:
    found = parse(event(subject="models/team:churn:20", data={}))

    assert found is not None
    assert (found.model, found.version) == ("team:churn", "20")


def test_a_version_is_a_text_and_keeps_its_form() -> None:
    found = parse(event(subject="models/churn:007", data={"ModelName": "churn", "ModelVersion": "007"}))

    assert found is not None
    assert found.version == "007"


def test_data_is_enough_without_a_subject() -> None:
    found = parse(event(subject=None))

    assert found is not None
    assert (found.model, found.version) == ("churn", "20")


def test_a_subject_without_a_colon_names_no_version() -> None:
    assert parse(event(subject="models/churn")) is not None
    with pytest.raises(BadInput) as wrong:
        parse(event(subject="models/churn", data={"ModelName": "churn"}))
    assert wrong.value.field == "data.ModelName"


def test_another_kind_of_event_is_none_of_ours() -> None:
    assert parse(event(eventType="Microsoft.MachineLearningServices.ModelDeployed")) is None


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b"\xff\xfe", "body"),
        ("not json", "body"),
        ("[]", "body"),
        (event(eventType=None), "eventType"),
        (event(eventType=7), "eventType"),
        (event(topic=None), "source"),
        (event(topic=" "), "topic"),
        (event(topic="/subscriptions/S/providers/Microsoft.Storage/storageAccounts/x"), "topic"),
        (event(data=None), "data"),
        (event(data="churn"), "data"),
        (event(data={}, subject=None), "data.ModelName"),
        (event(data={"ModelName": "churn", "ModelVersion": True}, subject=None), "data.ModelName"),
        (event(data={"ModelName": {}, "ModelVersion": 20}, subject=None), "data.ModelName"),
        (event(subject="models/churn:21"), "subject"),
        (event(subject="models/other:20"), "subject"),
        (event(id=None), "id"),
        (event(id=""), "id"),
    ],
)
def test_what_cannot_be_read_names_its_field(raw: str | bytes, field: str) -> None:
    with pytest.raises(BadInput) as wrong:
        parse(raw)

    assert wrong.value.field == field
