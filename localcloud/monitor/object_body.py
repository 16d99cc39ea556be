"""The body of a request to Microsoft.Insights: a JSON object, or 400. Unlike in `arm/`, an empty one is refused too."""

from __future__ import annotations

from aiohttp import web

from localcloud.seams import AzureError, Json


async def object_body(request: web.Request) -> Json:
    """The body as a JSON object."""
    try:
        body = await request.json()
    except ValueError as error:
        raise AzureError(400, "InvalidRequestContent", f"The request content was invalid: {error}") from error
    if not isinstance(body, dict):
        raise AzureError(400, "InvalidRequestContent", "The request content must be a JSON object")
    return body
