"""Azure's error envelope and the headers that every ARM reply carries.

Shapes are from recorded traffic: `additionalInfo` names the component, correlation, place and time, and service-side
validation hides its text in a JSON string inside `details[0].message`, which is what real clients have to dig out.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Sequence

from aiohttp import web

from localcloud.seams import AzureError, Cloud, Json, utc_now

_BUDGETS = {
    "reads": ("x-ms-ratelimit-remaining-subscription-reads", 12_000),
    "writes": ("x-ms-ratelimit-remaining-subscription-writes", 1_200),
    "deletes": ("x-ms-ratelimit-remaining-subscription-deletes", 15_000),
    "deployments": ("x-ms-ratelimit-remaining-subscription-resource-requests", 25),
}


def error_body(error: AzureError, region: str) -> Json:
    """The error as Azure writes it."""
    info = {
        "ComponentName": "managementfrontend",
        "Correlation": {"operation": uuid.uuid4().hex, "request": uuid.uuid4().hex[:16]},
        "Environment": region,
        "Location": region,
        "Time": utc_now().isoformat(),
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
    """Puts the headers of real replies on ours. The budgets count down as recorded; nothing is refused by them."""

    def __init__(self, cloud: Cloud) -> None:
        self._region = cloud.settings.region
        self._used: Counter[str] = Counter()

    async def on_prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        """An aiohttp `on_response_prepare` signal."""
        if not is_management(request.path):
            return
        kind = self._kind(request)
        self._used[kind] += 1
        header, budget = _BUDGETS[kind]
        now = utc_now()
        response.headers.setdefault("x-ms-response-type", "standard")
        response.headers[header] = str(budget - 1 - self._used[kind] % budget)
        response.headers["x-ms-request-id"] = str(uuid.uuid4())
        response.headers["x-ms-routing-request-id"] = f"{self._region.upper()}:{now:%Y%m%dT%H%M%SZ}:{uuid.uuid4()}"
        response.headers["x-aml-cluster"] = f"vienna-{self._region}-01"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-cache"

    @staticmethod
    def _kind(request: web.Request) -> str:
        if request.method in ("GET", "HEAD"):
            return "reads"
        if request.method == "DELETE":
            return "deletes"
        return "deployments" if request.method == "PUT" and "/deployments/" in request.path.lower() else "writes"


def is_management(path: str) -> bool:
    """Whether ARM (or the registry's ARM-like host) answers this path."""
    return path.startswith(("/subscriptions/", "/mferp/", "/registrymanagement/"))
