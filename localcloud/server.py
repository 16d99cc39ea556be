"""The one aiohttp application of the cloud process: every part's routes, and what holds for all of them.

Errors leave as ARM's envelope, the unexpected ones as a 500 with the traceback on this process's output; bearer tokens
must be present (any audience) where Azure wants one.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from localcloud import arm, control, eventgrid, identity, monitor, scoring
from localcloud.arm.envelope import ReplyHeaders, error_reply
from localcloud.http_faults import strike, subject_of
from localcloud.journal import Entry
from localcloud.seams import AzureError, Blobs, Cloud, utc_now
from localcloud.settings import Settings

CLOUD = web.AppKey("cloud", Cloud)
_TOKEN_NEEDED = ("/subscriptions/", "/mferp/", "/registrymanagement/", "/v1/workspaces/", "/history/")
_MAX_BODY = 64 * 1024 * 1024

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build(settings: Settings, base_url: str, folder: Path, ca_file: Path, blobs: Blobs) -> web.Application:
    """The application of one local cloud, ready to be run."""
    cloud = Cloud(settings=settings, base_url=base_url, folder=folder, ca_file=ca_file)
    cloud.blobs = blobs
    app = web.Application(middlewares=[_note, _may_fail, _answer, _require_token], client_max_size=_MAX_BODY)
    app[CLOUD] = cloud
    app.on_response_prepare.append(ReplyHeaders(cloud).on_prepare)
    app.on_cleanup.append(_close)
    for part in (identity, monitor, eventgrid, scoring, arm, control):
        part.setup(app, cloud)
    return app


@web.middleware
async def _note(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Everything but our own doors goes into the journal."""
    started, status = time.perf_counter(), 0
    try:
        response = await handler(request)
        status = 0 if request.transport is None or request.transport.is_closing() else response.status
        return response
    except web.HTTPException as error:
        status = error.status
        raise
    finally:
        if not request.path.startswith(control.PREFIX):
            seconds = time.perf_counter() - started
            request.app[CLOUD].journal.add(Entry(utc_now(), request.method, request.path, status, seconds))


@web.middleware
async def _may_fail(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers that were ordered to go wrong (`http` faults)."""
    if request.path.startswith(control.PREFIX):
        return await handler(request)
    fault = request.app[CLOUD].faults.take("http", subject_of(request))
    if fault is None:
        return await handler(request)
    return await strike(request, lambda: handler(request), fault)


@web.middleware
async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    started = time.perf_counter()
    response = await _handle(request, handler)
    if not response.prepared:
        response.headers["x-request-time"] = f"{time.perf_counter() - started:.3f}"
    return response


async def _handle(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The handler's answer; what it raises, as ARM's envelope."""
    region = request.app[CLOUD].settings.region
    try:
        return await handler(request)
    except AzureError as error:
        return error_reply(error, region)
    except web.HTTPNotFound:
        missing = AzureError(404, "InvalidResourceType", f"Nothing answers {request.method} {request.path} here.")
        return error_reply(missing, region)
    except web.HTTPMethodNotAllowed as error:
        refused = AzureError(405, "MethodNotAllowed", f"{request.method} is not supported by {request.path}.")
        refused.headers["Allow"] = error.headers.get("Allow", "")
        return error_reply(refused, region)
    except web.HTTPException:
        raise
    except Exception as error:
        traceback.print_exc()
        unexpected = AzureError(500, "InternalServerError", f"The local cloud failed: {type(error).__name__}: {error}")
        return error_reply(unexpected, region)


@web.middleware
async def _require_token(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.path.startswith(_TOKEN_NEEDED):
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise AzureError(
                401,
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing.",
                headers={"WWW-Authenticate": 'Bearer authorization_uri="https://login.microsoftonline.com/"'},
            )
    return await handler(request)


async def _close(app: web.Application) -> None:
    for closer in reversed(app[CLOUD].closers):
        await closer()
