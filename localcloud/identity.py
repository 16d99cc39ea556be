"""Managed identity tokens by the App Service protocol (IDENTITY_ENDPOINT, IDENTITY_HEADER).

The app's credential is azure-identity's own ManagedIdentityCredential, locally as on Azure. Tokens are JWTs of Entra's
shape: Azurite and azure-ai-ml read `aud`, `iss` and the times; nobody local checks the signature.
"""

from __future__ import annotations

import hmac
import time
import uuid

import jwt
from aiohttp import web

from localcloud import secrets_file
from localcloud.seams import Cloud

PATH = "/msi/token"
#: As long as Entra's managed identity tokens live.
_LIFETIME_SECONDS = 24 * 3600
_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
#: The app's own (system-assigned) identity.
SYSTEM_ASSIGNED = str(uuid.uuid5(_NAMESPACE, "understudy-local"))


def setup(app: web.Application, cloud: Cloud) -> None:
    """Serve GET /msi/token."""
    stack = secrets_file.load(cloud.folder)

    async def token(request: web.Request) -> web.Response:
        given = request.headers.get("X-IDENTITY-HEADER", "")
        if not hmac.compare_digest(given.encode(), stack.identity_header.encode()):
            return _refused(401, "X-IDENTITY-HEADER is missing or wrong: it must be the value of IDENTITY_HEADER.")
        resource = request.query.get("resource", "")
        if not resource or not request.query.get("api-version"):
            return _refused(400, "The query needs `resource` and `api-version`.")
        client_id = request.query.get("client_id") or SYSTEM_ASSIGNED
        expires = int(time.time()) + _LIFETIME_SECONDS
        signed = issue(
            resource,
            tenant_id=cloud.settings.tenant_id,
            client_id=client_id,
            key=stack.token_signing_key,
            until=expires,
        )
        return web.json_response(
            {
                "access_token": signed,
                "expires_on": str(expires),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": client_id,
            }
        )

    app.router.add_get(PATH, token)


def issue(resource: str, *, tenant_id: str, client_id: str, key: str, until: int) -> str:
    """A signed access token for one audience: the resource as asked for, without the trailing slash."""
    now = int(time.time())
    claims = {
        "aud": resource.rstrip("/"),
        "iss": f"https://sts.windows.net/{tenant_id}/",
        "iat": now,
        "nbf": now - 300,
        "exp": until,
        "tid": tenant_id,
        "oid": str(uuid.uuid5(_NAMESPACE, client_id)),
        "appid": client_id,
        "sub": str(uuid.uuid5(_NAMESPACE, client_id)),
        "idtyp": "app",
        "ver": "1.0",
    }
    return jwt.encode(claims, key, algorithm="HS256")


def _refused(status: int, message: str) -> web.Response:
    return web.json_response({"statusCode": status, "message": message}, status=status)
