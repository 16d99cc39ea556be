"""Azure's error envelope and the headers that every ARM reply carries.

Shapes are from recorded traffic: `additionalInfo` names the component, correlation, place and time, and service-side
validation hides its text in a JSON string inside `details[0].message`, which is what real clients have to dig out.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence

from aiohttp import web

from localcloud.arm.throttling import RATE_HEADERS
from localcloud.seams import AzureError, Cloud, Json, utc_now

_SERVICE_PATHS = ("/mferp/", "/registrymanagement/", "/assetstore/", "/batch/")
"""What is not ARM: the machine-learning service's own hosts, and the scoring host of batch endpoints."""
_ANY_HOST = {
    "X-Content-Type-Options": "nosniff",
    "Request-Context": "appId=cid-v1:00000000-0000-0000-0000-00000000000c",
}
_ARM_HOST = {
    "Cache-Control": "no-cache",
    "Pragma": "no-cache",
    "Expires": "-1",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
}
_SERVICE_HOST = {"Strict-Transport-Security": "max-age=15724800; includeSubDomains; preload"}


def error_body(error: AzureError, region: str) -> Json:
    """The error as Azure writes it."""
    info = {
        "ComponentName": "managementfrontend",
        "Correlation": {"operation": uuid.uuid4().hex, "request": uuid.uuid4().hex[:16]},
        "Environment": region,
        "Location": region,
        "Time": utc_now().isoformat(),
        **({"InnerError": {"code": "NotFoundError", "innerError": None}} if error.status == 404 else {}),
    }
    return {
        "error": {
            "code": error.code,
            "message": error.message,
            "details": error.details,
            "additionalInfo": [{"type": kind, "info": {"value": value}} for kind, value in info.items()],
        }
    }


def error_reply(error: AzureError, region: str) -> web.Response:
    """The HTTP reply of an error."""
    headers = {**error.headers, "x-ms-response-type": "error"}
    return web.json_response(error_body(error, region), status=error.status, headers=headers)


def invalid(*texts: str, field: str = "", code: str = "InferencingClientCallFailed", prefix: str = "") -> AzureError:
    """A refusal by the inference service: 400 with its nested JSON text."""
    errors: dict[str, Sequence[str]] = {field: texts}
    nested = json.dumps({"errors": errors, "title": "One or more validation errors occurred.", "status": 400})
    detail = {"code": code, "message": prefix + nested, "details": [], "additionalInfo": []}
    return AzureError(400, "BadRequest", "The request is invalid.", details=[detail])


def not_found(what: str) -> AzureError:
    """The machine-learning service's own 404, whose code is not NotFound (facts: decide by the status)."""
    return AzureError(404, "UserError", f"Could not find {what}")


class ReplyHeaders:
    """Puts the headers of real replies on ours: ARM's, and those of the service's own hosts, which have fewer."""

    def __init__(self, cloud: Cloud) -> None:
        self._region = cloud.settings.region

    async def on_prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        """An aiohttp `on_response_prepare` signal."""
        on_arm = request.path.startswith("/subscriptions/")
        if not on_arm and not request.path.startswith(_SERVICE_PATHS):
            return
        headers = response.headers
        headers.setdefault("x-ms-response-type", "standard")
        headers.setdefault("x-aml-cluster", f"vienna-{self._region}-01")
        if not request.path.startswith("/registrymanagement/"):  # whose recorded reply has none of these
            headers.update({**_ANY_HOST, **(_ARM_HOST if on_arm else _SERVICE_HOST)})
        if headers.get("Server", "").startswith("Python"):
            del headers["Server"]
        if on_arm:
            headers["x-ms-request-id"] = str(uuid.uuid4())
            headers["x-ms-routing-request-id"] = f"{self._region.upper()}:{utc_now():%Y%m%dT%H%M%SZ}:{uuid.uuid4()}"
            headers.update(request.get(RATE_HEADERS, {}))
