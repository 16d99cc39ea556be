"""Azure Monitor alone, over TLS, in a thread: what the monitoring tests drive with the real SDKs.

The rest of the local cloud is left out so that each test file can choose its own grain, delays and limits.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

from aiohttp import web
from azure.core.credentials import AccessToken

from localcloud import certificates, monitor
from localcloud.arm.envelope import error_reply
from localcloud.http_faults import strike, subject_of
from localcloud.seams import AzureError, Cloud, Json
from localcloud.settings import Settings

T = TypeVar("T")

ENDPOINT = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/rg-local"
    "/providers/microsoft.machinelearningservices/workspaces/ml-local/onlineendpoints/credit"
)


@dataclass
class Token:
    """A credential that hands out any token and remembers what it was asked for."""

    scopes: list[str] = field(default_factory=list)

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes.extend(scopes)
        return AccessToken("a-token", 4_102_444_800)


@dataclass(frozen=True)
class Running:
    """A monitor that answers at `url`."""

    url: str
    cloud: Cloud


@contextmanager
def running(
    settings: Settings, folder: Path, deployments: Callable[[], Sequence[Json]] = lambda: ()
) -> Iterator[Running]:
    """Start it on a free port and stop it at the end."""
    ca_file = certificates.authority(folder)
    started: list[Running] = []
    ready, ending = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        cloud = Cloud(settings, "", folder, ca_file, inspect_deployments=deployments)
        app = web.Application(middlewares=[_errors(cloud)], client_max_size=64 * 1024 * 1024)
        monitor.setup(app, cloud)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificates.issue(folder, "localhost", "127.0.0.1"))
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        started.append(Running(f"https://localhost:{runner.addresses[0][1]}", cloud))
        ready.set()
        await ending.wait()
        for connection in runner.server.connections if runner.server else ():
            if connection.transport is not None:
                connection.transport.abort()  # a polite TLS good-bye would outlive the loop
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    try:
        assert ready.wait(20), "the monitor did not start"
        yield started[0]
    finally:
        loop.call_soon_threadsafe(ending.set)
        thread.join(20)
        loop.close()


def _errors(cloud: Cloud) -> Any:
    """Errors as ARM's envelope, and `http` faults, as the whole local cloud has them."""

    @web.middleware
    async def answer(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            if (fault := cloud.faults.take("http", subject_of(request))) is not None:
                return await strike(request, lambda: handler(request), fault)
            return await handler(request)
        except AzureError as error:
            return error_reply(error, cloud.settings.region)

    return answer


def until(look: Callable[[], T], seconds: float = 10.0) -> T:
    """What `look` gives as soon as it is true; AssertionError after the deadline."""
    end = monotonic() + seconds
    while not (found := look()):
        assert monotonic() < end, f"still {found!r} after {seconds} s"
        sleep(0.02)
    return found


def traffic(deployment: str = "blue", code: int = 200, milliseconds: int = 10, **columns: Any) -> Json:
    """One row of the traffic log."""
    row: Mapping[str, Any] = {
        "EndpointName": "credit",
        "DeploymentName": deployment,
        "ResponseCode": code,
        "ModelStatusCode": code,
        "TotalDurationMs": milliseconds,
        "_ResourceId": ENDPOINT,
    }
    return {**row, **columns}
