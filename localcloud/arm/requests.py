"""Reading requests: a JSON object, or a 400 that says what was wrong with it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from localcloud.seams import AzureError, Json


async def json_body(request: web.Request) -> Json:
    """The body as a JSON object; an empty body is an empty object."""
    text = await request.text()
    if not text.strip():
        return {}
    try:
        body = json.loads(text)
    except ValueError as error:
        raise AzureError(400, "InvalidRequestContent", f"The request content was invalid JSON: {error}.") from None
    if not isinstance(body, dict):
        raise AzureError(400, "InvalidRequestContent", "The request content must be a JSON object.")
    return body


def refuse_other_fields(body: Json, patchable: Sequence[str]) -> None:
    """400 for a PATCH that says more than the resource takes."""
    if other := sorted(set(body) - set(patchable)):
        raise AzureError(400, "BadRequest", f"{other[0]!r} cannot be patched here; only {', '.join(patchable)} can.")


def merged(known: Mapping[str, Any], patch: Mapping[str, Any] | None) -> dict[str, Any]:
    """A JSON merge patch of one level: null takes an entry away."""
    return {name: value for name, value in {**known, **(patch or {})}.items() if value is not None}
