"""What the front does with a request: who is it, where does it go, what came back, who gets a copy.

Nothing here waits between choosing a deployment and counting the request as under way there: so a deployment that is
taken away can be drained without losing a request (`Gateway.retire`).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import random
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from aiohttp import web

from localcloud.scoring.backend import Backend
from localcloud.scoring.bandwidth import Allowance, Limits
from localcloud.scoring.call import Call, Outcome, refusal
from localcloud.scoring.mirror import Mirror
from localcloud.scoring.routing import Routes
from localcloud.scoring.traffic_log import row
from localcloud.scoring.trailers import with_trailers

PIN = "azureml-model-deployment"
_PATHS = {"score": "POST", "swagger.json": "GET"}
_NOT_PASSED_ON = frozenset(
    {"authorization", "connection", "content-length", "expect", "host", "keep-alive", "te", "transfer-encoding"}
    | {"upgrade", "x-request-id", "x-ms-client-request-id", PIN}
    # The body is passed on as it reads, without the compression that it came with.
    | {"content-encoding"}
)
_CLIENT_ID_LENGTH = 72
_NO_ROUTE = (
    "No valid deployments to route to. Please check that the endpoint has at least one deployment with positive "
    "weight values or use a deployment specific header to route."
)


class Gateway:
    """All endpoints of one region, their deployments, and the handler of their requests."""

    def __init__(
        self, mirror_capacity: int, bandwidth: float, requests: float, log: Callable[[list[Any]], None]
    ) -> None:
        """`bandwidth` (bytes) and `requests` are per second and of each endpoint."""
        self._mirror_capacity, self._bandwidth, self._requests, self._log = mirror_capacity, bandwidth, requests, log
        self._limits: dict[str, Limits] = {}
        self._routes: dict[str, Routes] = {}
        self._backends: dict[tuple[str, str], Backend] = {}
        self._mirrors: dict[tuple[str, str], Mirror] = {}

    def set_routes(self, routes: Routes) -> None:
        """From now on, every new request of this endpoint follows these routes."""
        self._routes[routes.endpoint] = routes

    def forget_routes(self, endpoint: str) -> None:
        """The endpoint is gone: its requests are answered 404."""
        self._routes.pop(endpoint, None)
        self._limits.pop(endpoint, None)

    async def replace(self, endpoint: str, backend: Backend) -> None:
        """New requests go to this backend at once; returns when those under way at the old one have their answers."""
        key = (endpoint, backend.deployment)
        old = self._backends.get(key)
        self._backends[key] = backend
        await self._drain(key, old)

    async def retire(self, endpoint: str, deployment: str) -> None:
        """No new requests for this deployment; returns when those under way have their answers."""
        key = (endpoint, deployment)
        await self._drain(key, self._backends.pop(key, None))

    def mirrored(self) -> list[dict[str, Any]]:
        """Per shadow deployment: how many copies were sent, and how many dropped because it was too slow."""
        return [
            {"endpoint": endpoint, "deployment": deployment, "sent": mirror.sent, "dropped": mirror.dropped}
            for (endpoint, deployment), mirror in self._mirrors.items()
        ]

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The handler of the front's server."""
        began = time.perf_counter()
        if request.path == "/health":
            return web.Response(text="Healthy")
        endpoint, _, path = request.path.lstrip("/").partition("/")
        routes = self._routes.get(endpoint)
        if routes is None or path not in _PATHS:
            return web.Response(status=404, text=f"There is nothing at {request.path}.")
        if request.method != _PATHS[path]:
            return web.Response(status=405, headers={"Allow": _PATHS[path]}, text="Method Not Allowed")
        try:
            body = await request.read()
        except web.RequestPayloadError as error:
            return web.Response(status=400, text=f"The request's body cannot be read: {error}")
        if (delay := self._limits_of(endpoint).bytes.use(len(body), time.perf_counter())) > 0:
            await asyncio.sleep(delay)
        # The routes may have changed while the body arrived: "every new request" means from here on.
        asked = f"/{path}?{request.query_string}" if request.query_string and path != "score" else f"/{path}"
        call = _read(request, self._routes.get(endpoint, routes), asked, body, began, delay)
        deployment, outcome = await self._score(call, request.headers)
        return await self._reply(request, call, deployment, outcome)

    async def _reply(
        self, request: web.BaseRequest, call: Call, deployment: str, outcome: Outcome
    ) -> web.StreamResponse:
        delay = self._limits_of(call.routes.endpoint).bytes.use(len(outcome.body), time.perf_counter())
        if delay > 0:
            await asyncio.sleep(delay)
        self._log(row(call, deployment, outcome, call.began, mirrored=False, response_delay=delay))
        answer = _response(call, deployment, outcome)
        if delay == 0 and call.request_delay == 0:
            return answer
        seconds = {"request": call.request_delay, "response": delay}
        trailers = {f"ms-azureml-bandwidth-{way}-delay-ms": str(round(held * 1000)) for way, held in seconds.items()}
        return await with_trailers(request, answer, trailers)

    async def _score(self, call: Call, headers: Any) -> tuple[str, Outcome]:
        """(the deployment that was chosen, its answer or the refusal)."""
        pin, deployment = headers.get(PIN) or None, ""
        if not call.routes.admits(_bearer(headers)):
            outcome = refusal(401, "This endpoint needs a valid key or token as bearer authorization.")
        elif not self._limits_of(call.routes.endpoint).requests.admits(1, time.perf_counter()):
            outcome = refusal(429, "Too many requests: the endpoint's rate limit is reached.")
        elif backend := self._choose(call.routes, pin):
            deployment = backend.deployment
            outcome = await backend.score(call)
            if pin is None and call.method == "POST":
                self._mirror(call)
        else:
            outcome = refusal(404, _NO_ROUTE if pin is None else f"Specified deployment [{pin}] does not exist.")
        return deployment, outcome

    def _limits_of(self, endpoint: str) -> Limits:
        if (limits := self._limits.get(endpoint)) is None:
            limits = self._limits[endpoint] = Limits(Allowance(self._bandwidth), Allowance(self._requests))
        return limits

    def _choose(self, routes: Routes, pin: str | None) -> Backend | None:
        name = pin or routes.pick(random.random())
        if name is None:
            return None
        backend = self._backends.get((routes.endpoint, name))
        if backend is None and pin is None:
            # Weighted, but without a container: the client sees what it sees when the container is down.
            return Backend(name, None, concurrency=1, instances=1, timeout=0)
        return backend

    def _mirror(self, call: Call) -> None:
        name = call.routes.mirror_for(random.random())
        backend = self._backends.get((call.routes.endpoint, name)) if name else None
        if name is None or backend is None:
            return
        key = (call.routes.endpoint, name)
        if key not in self._mirrors:
            carried = self._limits_of(call.routes.endpoint).bytes
            self._mirrors[key] = Mirror(
                backend, self._mirror_capacity, self._log, lambda size: carried.use(size, time.perf_counter())
            )
        self._mirrors[key].offer(call)

    async def _drain(self, key: tuple[str, str], old: Backend | None) -> None:
        mirror = self._mirrors.pop(key, None)
        if mirror is not None:
            await mirror.close()
        if old is not None:
            await old.drain()


def _read(request: web.BaseRequest, routes: Routes, path: str, body: bytes, began: float, delay: float) -> Call:
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _NOT_PASSED_ON}
    request_id = str(uuid.uuid4())
    client_id = re.sub("[^0-9A-Za-z]", "", request.headers.get("x-ms-client-request-id", ""))[:_CLIENT_ID_LENGTH]
    headers["x-request-id"] = request_id
    if client_id:
        headers["x-ms-client-request-id"] = client_id
    return Call(
        routes=routes,
        method=request.method,
        path=path,
        headers=headers,
        body=body,
        request_id=request_id,
        client_request_id=client_id,
        user_agent=request.headers.get("User-Agent", ""),
        identity=_object_id(_bearer(request.headers)) if routes.auth_mode.lower() == "aadtoken" else "",
        began=began,
        request_delay=delay,
        received=time.perf_counter(),
    )


def _response(call: Call, deployment: str, outcome: Outcome) -> web.Response:
    headers = {**outcome.headers, "Server": "azureml-frontdoor", "x-request-id": call.request_id}
    if deployment:
        headers[PIN] = deployment
    if call.client_request_id:
        headers["x-ms-client-request-id"] = call.client_request_id
    return web.Response(status=outcome.status, reason=outcome.reason, body=outcome.body, headers=headers)


def _bearer(headers: Any) -> str:
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _object_id(token: str) -> str:
    """The `oid` claim, as the log's IdentityData shows it; empty when the token is not a readable JWT."""
    try:
        claims = token.split(".")[1]
        value = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        return str(value.get("oid", ""))
    except (IndexError, ValueError, AttributeError, binascii.Error):
        return ""
