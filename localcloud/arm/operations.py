"""Long-running operations as the machine-learning service runs them: 201 now, the effect when the operation ends.

A poll shows only 0 and 100 percent and the word "Updating" until the end, as recorded. What one running operation
blocks is a setting (`operation_lock`), because Azure's own answer is not confirmed. One deviation: polls of a shortened
operation carry Retry-After while it runs, else an unpatched client would wait its own 30 s for half a second.
"""

from __future__ import annotations

import asyncio
import math
import traceback
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from aiohttp import web

from localcloud.arm.paths import LOCATIONS, PROVIDER, any_case
from localcloud.seams import AzureError, Cloud, Json, ServingFailed, utc_now

Work = Callable[[], Awaitable[None]]
Failure = Callable[[str], None]
"""Marks the resource with this state: Failed or Canceled."""

_BATCH_DEPLOYMENT = "bdbes:"
"""The kind of operation whose polls carry nothing but id, name and status, as recorded."""
_SHORTENED = 20.0
"""Seconds below which an operation is not of Azure's own length."""


@dataclass
class Operation:
    """One operation, kept for as long as the cloud runs."""

    name: str
    resource_id: str
    method: str
    seconds: float
    started: datetime = field(default_factory=utc_now)
    ended: datetime | None = None
    status: str = "Updating"
    error: Json | None = None
    resource: Callable[[], Json] | None = None
    """What the result address of a PATCH gives at the end."""
    task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether it still blocks others."""
        return self.ended is None


class _Canceled(ServingFailed):
    """The operation was ended by the service before its time."""


class Operations:
    """Starts operations, refuses overlapping ones, and answers polls."""

    def __init__(self, cloud: Cloud, workspace_id: str) -> None:
        self._cloud = cloud
        self._workspace_id = workspace_id
        self._known: dict[str, Operation] = {}
        self._running: set[str] = set()

    def newest_first(self) -> list[Operation]:
        """All operations since the cloud started."""
        return list(reversed(self._known.values()))

    def refuse_overlap(self, resource_id: str, endpoint_id: str, *, whole: bool = False) -> None:
        """409 when a running operation blocks this one. `whole`: the operation takes the endpoint with everything."""
        lock_endpoint = whole or self._cloud.settings.operation_lock == "endpoint"
        for operation in [self._known[name] for name in self._running]:
            blocks = operation.resource_id == resource_id.lower() or (
                lock_endpoint and (operation.resource_id + "/").startswith(endpoint_id.lower() + "/")
            )
            if blocks:
                raise AzureError(
                    409,
                    "Conflict",
                    f"Already running method [{operation.method}] on [{operation.resource_id}]. "
                    "Wait until that operation has ended, then try again.",
                )

    def start(
        self, kind: str, resource_id: str, method: str, seconds: float, work: Work, on_failure: Failure
    ) -> Operation:
        """Run `work` for at least `seconds`; `on_failure` marks the resource when the work raises."""
        operation = Operation(f"{kind}:{self._workspace_id}:{uuid.uuid4()}", resource_id.lower(), method, seconds)
        self._known[operation.name] = operation
        self._running.add(operation.name)
        operation.task = asyncio.create_task(self._run(operation, seconds, work, on_failure))
        return operation

    async def _run(self, operation: Operation, seconds: float, work: Work, on_failure: Failure) -> None:
        try:
            await self._cloud.pace.wait("operations", seconds)
            await self._strike(operation)
            await work()
            operation.status = "Succeeded"
        except asyncio.CancelledError:
            operation.status = "Canceled"
            raise
        except _Canceled as canceled:
            self._fail(operation, canceled.code, str(canceled), on_failure, "Canceled")
        except (ServingFailed, AzureError) as failure:
            self._fail(operation, failure.code, str(failure), on_failure)
        except Exception as failure:
            traceback.print_exc()
            self._fail(operation, "InternalServerError", f"{type(failure).__name__}: {failure}", on_failure)
        finally:
            operation.ended = utc_now()
            self._running.discard(operation.name)

    async def _strike(self, operation: Operation) -> None:
        """The scripted faults of operations: one that does not end, one that fails instead of doing its work."""
        subject = f"{operation.method.upper()} {operation.resource_id}"
        if (stuck := self._cloud.faults.take("operation.stuck", subject)) is not None:
            seconds = stuck.get("seconds")
            await (asyncio.Event().wait() if seconds is None else asyncio.sleep(float(seconds)))
        if (failed := self._cloud.faults.take("operation.failed", subject)) is not None:
            message = str(failed.get("message") or "The operation failed as scripted.")
            kind = _Canceled if str(failed.get("status") or "").lower() == "canceled" else ServingFailed
            raise kind(str(failed.get("code") or "InternalServerError"), message)

    @staticmethod
    def _fail(operation: Operation, code: str, message: str, on_failure: Failure, status: str = "Failed") -> None:
        on_failure(status)
        operation.status = status
        operation.error = {"code": code, "message": message, "details": [], "additionalInfo": []}

    def uri(self, operation: Operation, request: web.Request, what: str = "mfeOperationsStatus") -> str:
        """Where the operation is polled (or, for a DELETE, where its result is)."""
        settings = self._cloud.settings
        version = request.query.get("api-version", "2022-02-01-preview")
        return (
            f"{self._cloud.base_url}/subscriptions/{settings.subscription_id}/providers/{PROVIDER}"
            f"/locations/{settings.region}/{what}/{operation.name}?api-version={version}"
        )

    def headers(self, operation: Operation, request: web.Request) -> dict[str, str]:
        """The headers of an accepted PUT (its Location is the resource) or of another method (it is the result)."""
        putting = request.method == "PUT"
        resource = f"{self._cloud.base_url}{request.path_qs}"
        return {
            "Azure-AsyncOperation": self.uri(operation, request),
            "Location": resource if putting else self.uri(operation, request, "mfeOperationResults"),
            "x-ms-async-operation-timeout": "PT30M",
        }

    def accepted_patch(self, operation: Operation, request: web.Request, resource: Callable[[], Json]) -> web.Response:
        """The reply to a PATCH: 202 without a resource, whose Location gives it when the operation has ended."""
        operation.resource = resource
        headers = {**self.headers(operation, request), "Retry-After": str(math.ceil(operation.seconds) or 1)}
        return web.Response(status=202, headers=headers)

    def _find(self, request: web.Request) -> Operation:
        name = request.match_info["operation"]
        if operation := self._known.get(name):
            return operation
        raise AzureError(404, "NotFound", f"Operation {name} was not found.")

    async def poll(self, request: web.Request) -> web.Response:
        """GET mfeOperationsStatus: always 200, the truth is in `status`."""
        operation = self._find(request)
        body: Json = {"id": request.path, "name": operation.name, "status": operation.status}
        if not operation.name.startswith(_BATCH_DEPLOYMENT):
            body["startTime"] = operation.started.isoformat()
            body["percentComplete"] = 0.0 if operation.running else 100.0
            if operation.ended:
                body["endTime"] = operation.ended.isoformat()
        if operation.error:
            body["error"] = operation.error
        return web.json_response(body, headers=retry_soon(operation.seconds) if operation.running else {})

    async def result(self, request: web.Request) -> web.Response:
        """GET mfeOperationResults: 202 while it runs, then the resource of a PATCH, or 204."""
        operation = self._find(request)
        if operation.running:
            return web.Response(status=202, headers=retry_soon(operation.seconds))
        if operation.resource and operation.status == "Succeeded":
            return web.json_response(operation.resource())
        return web.Response(status=204)

    def add_routes(self, app: web.Application) -> None:
        """The two poll addresses."""
        app.router.add_get(any_case(f"{LOCATIONS}/mfeOperationsStatus/{{operation}}"), self.poll)
        app.router.add_get(any_case(f"{LOCATIONS}/mfeOperationResults/{{operation}}"), self.result)

    async def stop(self) -> None:
        """Cancel what still runs, at shut-down."""
        tasks = [operation.task for operation in self._known.values() if operation.task and not operation.task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def retry_soon(seconds: float) -> dict[str, str]:
    """The Retry-After of a poll that is still running, when the operation is shorter than Azure's."""
    return {"Retry-After": str(math.ceil(seconds) or 1)} if seconds < _SHORTENED else {}
