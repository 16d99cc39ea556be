"""The one check of tokens here: a bearer token must be there. Its audience and signature are not looked at."""

from __future__ import annotations

from aiohttp import web

from localcloud.seams import AzureError


def require_bearer(request: web.Request) -> None:
    """AzureError 401 when the request carries no bearer token."""
    if not request.headers.get("Authorization", "").startswith("Bearer "):
        raise AzureError(
            401,
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
            headers={"WWW-Authenticate": 'Bearer authorization_uri="https://login.microsoftonline.com/common"'},
        )
