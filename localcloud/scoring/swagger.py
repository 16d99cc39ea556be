"""A deployment's OpenAPI documents, as the inference server makes them.

Source: microsoft/azureml-inference-server, server/swagger.py. The user's own file in the code folder is taken as it is:
`swagger.json` or `swagger2.json` for version 2, `swagger3.json` for version 3. Without one there is the server's own
document, which for a plain run() knows no inputs. The server also writes one from `inference_schema` decorators; that
package is not run here.
"""

from __future__ import annotations

import json
from pathlib import Path

from localcloud.seams import Json

DEFAULT_VERSION = "2"
_FILES = {
    "2": ("swagger.json", "swagger2.json"),
    "2.0": ("swagger.json", "swagger2.json"),
    "3": ("swagger3.json",),
    "3.0": ("swagger3.json",),
}
_UNKNOWN: Json = {"type": "object", "example": {}}


def swagger(folder: Path | None, version: str, service: str) -> Json | None:
    """The document of one version for the code in `folder`; None for a version that there is not."""
    if version not in _FILES:
        return None
    for name in _FILES[version] if folder is not None else ():
        if folder is not None and (folder / name).is_file():
            loaded: Json = json.loads((folder / name).read_text())
            return loaded
    return _plain_2(service) if version.startswith("2") else _plain_3(service)


def _plain_2(service: str) -> Json:
    reference = {"$ref": "#/definitions/ServiceInput"}
    body = {"name": "serviceInputPayload", "in": "body", "schema": reference}
    return {
        "swagger": "2.0",
        "info": {"title": service, "version": "1.0"},
        "paths": {"/score": {"post": {"operationId": "RunMLService", "parameters": [body], "responses": _answers()}}},
        "definitions": {"ServiceInput": _UNKNOWN, "ServiceOutput": _UNKNOWN},
    }


def _plain_3(service: str) -> Json:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/ServiceInput"}}}
    post = {"operationId": "RunMLService", "requestBody": {"content": content}, "responses": _answers()}
    return {
        "openapi": "3.0.3",
        "info": {"title": service, "version": "1.0"},
        "paths": {"/score": {"post": post}},
        "components": {"schemas": {"ServiceInput": _UNKNOWN, "ServiceOutput": _UNKNOWN}},
    }


def _answers() -> Json:
    return {"200": {"description": "The service provided a result prediction."}}
