"""The one check of tokens here: a bearer token must be there. Its audience and signature are not looked at."""

from __future__ import annotations

from aiohttp import web

from localcloud.seams import AzureError


def require_bearer(request: web.Request) -> str:
    """The bearer token; AzureError 401 when the request carries none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise AzureError(
            401,
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
            headers={"WWW-Authenticate": 'Bearer authorization_uri="https://login.microsoftonline.com/common"'},
        )
    return token.strip()
