"""Faults of single HTTP requests: another answer, a delay, a cut connection, a lost reply after the effect.

Used by the cloud process and by the scoring front, so that both lie in the same way.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from localcloud.faults import Json

Handler = Callable[[], Awaitable[web.StreamResponse]]


def subject_of(request: web.BaseRequest) -> str:
    """What `match` of an `http` fault is searched in."""
    return f"{request.method} {request.path_qs}"


async def strike(request: web.BaseRequest, handler: Handler, fault: Json) -> web.StreamResponse:
    """Answer one request as the fault says; `handler` gives the true answer and has the effect."""
    await asyncio.sleep(float(fault.get("delay_seconds", 0)))
    cut, status = bool(fault.get("cut")), fault.get("status")
    replaced = cut or status is not None
    if not replaced or fault.get("after"):
        truth = await handler()
        if not replaced:
            return truth
    if cut:
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=499)  # nobody gets it: the connection is gone
    return _answer(int(status or 500), fault)


def _answer(status: int, fault: Json) -> web.Response:
    body = fault.get("body", "")
    headers = {str(name): str(value) for name, value in (fault.get("headers") or {}).items()}
    text = body if isinstance(body, str) else json.dumps(body)
    if "content-type" not in {name.lower() for name in headers}:
        headers["Content-Type"] = "text/plain; charset=utf-8" if isinstance(body, str) else "application/json"
    return web.Response(status=status, headers=headers, body=text.encode())
