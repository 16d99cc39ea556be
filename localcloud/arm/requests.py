"""Reading requests: a JSON object, or a 400 that says what was wrong with it."""

from __future__ import annotations

import json

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
