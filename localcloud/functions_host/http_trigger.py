"""HTTP functions: routes, keys, and the translation of requests and answers that host and worker do together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from localcloud.functions_host.access import Access
from localcloud.functions_host.functions import HTTP, Function
from localcloud.functions_host.invocation import InvocationFailed, Invoker
from localcloud.functions_host.routes import Route

_LOG = logging.getLogger("host")


@dataclass(frozen=True)
class HttpLimits:
    """What a caller of an HTTP function may ask for."""

    answer_seconds: float = 230.0
    """How long Azure's load balancer leaves a connection without an answer; the function goes on."""
    body_bytes: int = 104_857_600

    @classmethod
    def read(cls, answer_seconds: float, environment: Mapping[str, str]) -> HttpLimits:
        """The host's default body limit, or FUNCTIONS_REQUEST_BODY_SIZE_LIMIT."""
        return cls(answer_seconds, int(environment.get("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT") or cls.body_bytes))


class HttpTrigger:
    """Serves every HTTP function of the app."""

    def __init__(
        self, functions: Sequence[Function], invoker: Invoker, access: Access, route_prefix: str, limits: HttpLimits
    ) -> None:
        self._invoker, self._access, self._limits = invoker, access, limits
        routed = [
            (Route.parse(function.settings.get("route") or function.name, route_prefix), function)
            for function in functions
            if function.trigger == HTTP and function.problem is None
        ]
        self._routes = sorted(routed, key=lambda pair: pair[0].order)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Any request that no built-in route took: 404 without a function, 401 without its key."""
        found = self._find(request)
        if found is None:
            return web.Response(status=404)
        function, values = found
        if function.disabled and not self._access.is_admin(request):
            return web.Response(status=404)
        level = str(function.settings.get("authLevel", "function")).lower()
        if not self._access.may_call(request, function.name, level):
            return web.Response(status=401)
        if (request.content_length or 0) > self._limits.body_bytes:
            return web.Response(status=413)
        given = await _to_worker(request, values)
        try:
            async with asyncio.timeout(self._limits.answer_seconds):
                answer = await self._invoker.run(function, given, reason=f"{request.method} {request.path}")
            return _from_worker(function, answer)
        except TimeoutError:
            _LOG.error("'%s' had no answer after %g s; it goes on", function.name, self._limits.answer_seconds)
            return web.Response(status=504)
        except InvocationFailed:
            return web.Response(status=500)
        except TypeError as error:
            _LOG.error("'%s' answered what the worker refuses: %s", function.name, error)
            return web.Response(status=500)

    def _find(self, request: web.Request) -> tuple[Function, dict[str, str]] | None:
        for route, function in self._routes:
            methods = function.settings.get("methods")
            if methods and request.method not in {str(method).upper() for method in methods}:
                continue
            values = route.match(request.rel_url.raw_path)
            if values is not None:
                return function, values
        return None


async def _to_worker(request: web.Request, values: dict[str, str]) -> Any:
    """Lower-case header names, several values joined, empty query values dropped, no body without Content-Length."""
    import azure.functions

    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]},{value}" if key in headers else value
    params: dict[str, str] = {}
    for name, value in request.query.items():
        if value:
            params[name] = f"{params[name]},{value}" if name in params else value
    return azure.functions.HttpRequest(
        method=request.method,
        url=str(request.url),
        headers=headers,
        params=params,
        route_params=values,
        body=await request.read() if request.content_length else b"",
    )


def _from_worker(function: Function, answer: Any) -> web.Response:
    """An HttpResponse or a str; TypeError for anything else, as the worker fails the invocation."""
    import azure.functions

    if isinstance(answer, str):
        return web.Response(text=answer)
    if not isinstance(answer, azure.functions.HttpResponse):
        raise TypeError(f"{function.name} returned a {type(answer).__name__}, expected HttpResponse or str")
    response = web.Response(status=answer.status_code, body=answer.get_body())
    if answer.mimetype:
        response.headers["Content-Type"] = f"{answer.mimetype}; charset={answer.charset}"
    for name, value in answer.headers.items():
        if name.lower() == "content-type":
            response.headers[name] = value
        elif name.lower() != "content-length":
            response.headers.add(name, value)
    return response
