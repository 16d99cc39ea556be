"""The host's management doors under /admin: status, the functions, firing one by hand. Master key, but for ping."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import time
import uuid
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from localcloud.functions_host import trigger_data
from localcloud.functions_host.access import Access
from localcloud.functions_host.functions import HTTP, QUEUE, TIMER, Function
from localcloud.functions_host.invocation import InvocationFailed, Invoker

_LOG = logging.getLogger("host")
VERSION = "4.0.0-local"


class Admin:
    """What operators and tools ask a host."""

    def __init__(self, functions: Sequence[Function], invoker: Invoker, access: Access, bundle: str) -> None:
        self._functions = {one.name.lower(): one for one in functions}
        self._invoker, self._access, self._bundle = invoker, access, bundle
        self._instance = str(uuid.uuid4())
        self._started = time.monotonic()
        self._tasks: set[asyncio.Task[None]] = set()
        self.state = "Initializing"

    def add_routes(self, app: web.Application) -> None:
        """Before the functions' own routes, which may not begin with `admin`."""
        for method in ("GET", "POST"):
            app.router.add_route(method, "/admin/host/ping", self._ping)
        app.router.add_get("/admin/host/status", self._guarded(self._status))
        app.router.add_get("/admin/functions", self._guarded(self._list))
        app.router.add_get("/admin/functions/{name}", self._guarded(self._one))
        app.router.add_post("/admin/functions/{name}", self._guarded(self._invoke))
        app.router.add_get("/admin/functions/{name}/status", self._guarded(self._function_status))
        app.router.add_get("/admin/functions/{name}/keys", self._guarded(self._function_keys))

    def _guarded(self, handler: Any) -> Any:
        async def guarded(request: web.Request) -> web.StreamResponse:
            if not self._access.is_admin(request):
                return web.Response(status=401)
            answer: web.StreamResponse = await handler(request)
            return answer

        return guarded

    async def _ping(self, _request: web.Request) -> web.Response:
        return web.Response()

    async def _status(self, _request: web.Request) -> web.Response:
        errors = [f"{one.name}: {one.problem}" for one in self._functions.values() if one.problem]
        uptime = int((time.monotonic() - self._started) * 1000)
        status: dict[str, Any] = {
            "id": "local",
            "state": self.state,
            "version": VERSION,
            "versionDetails": VERSION,
            "platformVersion": "",
            "instanceId": self._instance,
            "computerName": socket.gethostname(),
            "processId": os.getpid(),
            "processUptime": uptime,
            "functionAppContentEditingState": "NotAllowed",
            "errors": errors,
        }
        if self._bundle:
            status["extensionBundle"] = {"id": self._bundle, "version": VERSION}
        return web.json_response(status)

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response([_description(one, request) for one in self._functions.values()])

    async def _one(self, request: web.Request) -> web.Response:
        return web.json_response(_description(self._find(request), request))

    async def _function_status(self, request: web.Request) -> web.Response:
        function = self._find(request)
        return web.json_response({"errors": [function.problem]} if function.problem else {})

    async def _function_keys(self, request: web.Request) -> web.Response:
        function = self._find(request)
        return web.json_response({"keys": [{"name": "default", "value": self._access.function_key(function.name)}]})

    async def _invoke(self, request: web.Request) -> web.Response:
        """`{"input": "..."}`: 202, and the function runs in the background, whatever its trigger, disabled or not."""
        function = self._find(request)
        if function.problem:
            return web.json_response({"message": function.problem}, status=409)
        try:
            body = await request.json() if request.can_read_body else {}
            given = body.get("input") or ""
            data = _input(function, given if isinstance(given, str) else json.dumps(given))
        except (ValueError, AttributeError, TypeError) as error:
            return web.json_response({"message": f'The body must be {{"input": "..."}}: {error}'}, status=400)
        task = asyncio.create_task(self._run(function, data))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return web.Response(status=202)

    async def _run(self, function: Function, data: Any) -> None:
        try:
            await self._invoker.run(function, data, reason="by hand")
        except InvocationFailed:
            return  # logged by the invoker

    def _find(self, request: web.Request) -> Function:
        function = self._functions.get(request.match_info["name"].lower())
        if function is None:
            raise web.HTTPNotFound
        return function


def _input(function: Function, text: str) -> Any:
    import azure.functions

    if function.trigger == HTTP:
        name = str(function.settings.get("route") or function.name)
        return azure.functions.HttpRequest(method="POST", url=f"http://localhost/api/{name}", body=text.encode())
    if function.trigger == TIMER:
        return trigger_data.decode(function, '{"Schedule":{},"ScheduleStatus":{},"IsPastDue":false}', kind="json")
    if function.trigger == QUEUE:
        return trigger_data.decode(function, text, kind="string", metadata={"DequeueCount": ("1", "json")})
    return trigger_data.decode(function, text, kind="json")


def _description(function: Function, request: web.Request) -> dict[str, Any]:
    url = f"{request.url.origin()}/admin/functions/{function.name}"
    return {
        "name": function.name,
        "href": url,
        "isDisabled": function.disabled,
        "language": "python",
        "config": {"name": function.name, "bindings": [dict(one) for one in function.bindings]},
    }
