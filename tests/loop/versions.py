"""Model versions that behave as a test needs it: folders with a scoring script, as a data scientist registers them.

Each answers `{"predictions": [...], "version": ...}` and logs its answers as the example scenario's script does, under
the service's own request id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

SCRIPT = """# {model}
import json, logging, os
VERSION, BEHAVIOUR = {version!r}, {behaviour!r}

def init():
    if BEHAVIOUR == "never starts":
        raise RuntimeError("no such file: vocabulary.bin")

def run(raw_data, request_headers):
    rows = json.loads(raw_data)["data"]
    if BEHAVIOUR == "errs":
        raise ValueError("column y is missing")
    answers = [(row["x"] % 97) / 97 for row in rows]
    if BEHAVIOUR == "differs":
        answers = [1 - answer if abs(answer - 0.5) > 0.2 else answer + 0.5 for answer in answers]
    request_id = {{name.lower(): value for name, value in request_headers.items()}}.get("x-request-id", "")
    logging.info(json.dumps({{"type": "OutputData", "request_id": request_id, "data": answers}}))
    return {{"predictions": answers, "version": VERSION}}
"""


class Behaviour(StrEnum):
    """How a version differs from the others."""

    GOOD = "good"
    DIFFERS = "differs"
    """Other answers than the good ones, quickly and without an error."""
    ERRS = "errs"
    NEVER_STARTS = "never starts"


def write(
    folder: Path, model: str, version: str, behaviour: Behaviour, *, inputs: Mapping[str, str] | None = None
) -> Path:
    """A model folder with the version's script. No two are alike: the SDK uploads equal folders to one address.

    `inputs`: the columns that a row must have and their types in MLflow's words, said in the swagger file beside the
    script and in an `MLmodel`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "score.py").write_text(SCRIPT.format(model=model, version=version, behaviour=behaviour.value))
    if inputs is not None:
        (folder / "swagger.json").write_text(json.dumps(swagger(inputs)))
        signature = [{"name": name, "type": kind, "required": True} for name, kind in inputs.items()]
        (folder / "MLmodel").write_text(json.dumps({"flavors": {}, "signature": {"inputs": json.dumps(signature)}}))
    return folder


def swagger(inputs: Mapping[str, str]) -> dict[str, Any]:
    """An OpenAPI document as the inference server writes it, of rows with these columns, all numbers."""
    row = {"type": "object", "properties": {name: {"type": "number"} for name in inputs}, "required": list(inputs)}
    body = {"type": "object", "properties": {"data": {"type": "array", "items": row}}, "required": ["data"]}
    parameter = {"name": "serviceInputPayload", "in": "body", "schema": {"$ref": "#/definitions/ServiceInput"}}
    return {
        "swagger": "2.0",
        "paths": {"/score": {"post": {"parameters": [parameter]}}},
        "definitions": {"ServiceInput": body},
    }
