"""What export and drift talk to, without endpoints and the app: Azurite, and Azure's management and monitoring APIs.

The cloud runs in a thread of this process, so that a test can put rows into the log tables as the scoring front does,
with any deployment, request id and text. Everything else goes over TLS through the app's own clients and the SDKs.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Middleware

from cloud.arm import Arm
from cloud.blobs import Blobs
from cloud.datastores import Datastores
from cloud.identity import credential
from cloud.insights import Insights
from cloud.jobs import Jobs
from cloud.logs import Logs
from cloud.models import Models
from cloud.queues import Queues
from export import doors as export_doors
from export.dataset import exported_until
from export.doors import Context as ExportContext
from localcloud import arm, azurite, certificates, environment, eventgrid, identity, monitor, secrets_file
from localcloud.arm.envelope import error_reply
from localcloud.http_faults import strike, subject_of
from localcloud.seams import AzureError, Cloud
from localcloud.settings import Settings
from localcloud.storage import WORKSPACE_CONTAINER, Storage
from policy.load import load
from policy.match import endpoint_id
from policy.model import Policy, Target

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass
class AnalysisCloud:
    """A running cloud and the app's clients for it."""

    cloud: Cloud
    env: dict[str, str]

    @cached_property
    def blobs(self) -> Blobs:
        return Blobs(self.env["UNDERSTUDY_BLOB_URL"], credential())

    @cached_property
    def queues(self) -> Queues:
        return Queues(self.env["UNDERSTUDY_QUEUE_URL"], credential())

    @cached_property
    def logs(self) -> Logs:
        return Logs(self.env["UNDERSTUDY_LOGS_URL"], credential())

    @cached_property
    def insights(self) -> Insights:
        return Insights(self.env["APPLICATIONINSIGHTS_CONNECTION_STRING"])

    @cached_property
    def datastores(self) -> Datastores:
        url = self.env["UNDERSTUDY_ARM_URL"]
        return Datastores(Arm(url, url, credential()), credential(), own_account=self.env["UNDERSTUDY_BLOB_URL"])

    @cached_property
    def models(self) -> Models:
        metadata = json.loads(self.env["UNDERSTUDY_AML_CLOUD_METADATA"])
        return Models(credential(), cloud_name=self.env["UNDERSTUDY_AML_CLOUD_NAME"], cloud_metadata=metadata)

    @cached_property
    def jobs(self) -> Jobs:
        return Jobs(self.models)

    def visible(self) -> datetime:
        """The time from which on everything logged until now can be queried, rounded up to a whole second."""
        moment = datetime.now(UTC) + timedelta(seconds=self.cloud.settings.ingestion_seconds + 1)
        return moment.replace(microsecond=0)

    def export(self, place: tuple[Policy, Target, str], until: datetime) -> None:
        """What timer and queue do: export the window that is due until the data set reaches `until`."""
        policy, target, endpoint = place
        context, end = ExportContext(self.blobs, self.logs, self.queues, [place]), monotonic() + 30
        while (exported_until(self.blobs, policy.name, target.name, endpoint) or _LONG_AGO) < until:
            assert monotonic() < end, f"{policy.name} is not exported up to {until}"
            for message in export_doors.queue_due(context, datetime.now(UTC)):
                export_doors.run(context, message, datetime.now(UTC))
            sleep(0.02)

    def log(self, target: Target, endpoint: str, deployment: str, *messages: str) -> None:
        """Console lines of one deployment, as the scoring front writes them."""
        row = {"DeploymentName": deployment, "InstanceId": "i-1", "_ResourceId": endpoint_id(target, endpoint)}
        rows = [{**row, "Message": message, "TimeGenerated": datetime.now(UTC)} for message in messages]
        self.cloud.tables.append("AmlOnlineEndpointConsoleLog", rows)

    def requested(self, target: Target, endpoint: str, request: str, client_id: str) -> None:
        """A request's line in the traffic log; `client_id` is what its sender called it."""
        row = {"_ResourceId": endpoint_id(target, endpoint), "TimeGenerated": datetime.now(UTC)}
        ids = {"XRequestId": request, "XMSClientRequestId": client_id, "DeploymentName": "blue"}
        self.cloud.tables.append("AmlOnlineEndpointTrafficLog", [{**row, **ids}])

    def policy(self, name: str, **parts: Any) -> tuple[Policy, Target, str]:
        """A policy of its own for one test, with its only target and that target's endpoint."""
        settings = self.cloud.settings
        target = {
            "name": "local",
            "subscription_id": settings.subscription_id,
            "resource_group": settings.resource_group,
            "workspace": settings.workspace,
            "endpoint": f"{name}-endpoint",
            "log_analytics_workspace_id": settings.log_analytics_workspace_id,
        }
        whole = {
            "name": name,
            "model": {"name": "credit-default"},
            "targets": [target],
            "steps": [{"full": {"bake": "1s"}}],
            "export": {"every": "1s", "lag": "0s"},
            **parts,
        }
        policy = load(json.dumps(whole), f"{name}.yaml")
        return policy, policy.targets[0], f"{name}-endpoint"


def input_line(request: str, rows: Sequence[dict[str, Any]], *, service: str = "online/credit-default/1") -> str:
    """An input in the present format of the inference server's log."""
    body = {"type": "InputData", "service_name": service, "request_id": request, "data": json.dumps(rows)}
    return f"2026-11-21 12:00:00,123 I [42] score - {json.dumps(body)}"


def output_line(request: str, predictions: Sequence[float], *, service: str = "online/credit-default/1") -> str:
    """An output in the old format."""
    body = {"type": "OutputData", "service_name": service, "request_id": request, "data": list(predictions)}
    return f"2026-11-21 12:00:00,123 | root | INFO | 42 | 8a6c | {json.dumps(body)}"


@contextmanager
def running(folder: Path, settings: Settings) -> Iterator[AnalysisCloud]:
    """Start Azurite and the cloud; this process' environment is that of the app until the end."""
    secrets = secrets_file.load(folder)
    certificate, key = certificates.issue(folder, "localhost", "127.0.0.1")
    ca_file = certificates.authority(folder)
    azurite_process, account = azurite.start(folder, folder / "logs", certificate, key)
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"https://localhost:{listening.getsockname()[1]}"
    at = environment.Addresses(cloud_url=url, functions_url="", account=account, ca_file=ca_file)
    env = environment.compose(settings, secrets, at)
    before = dict(os.environ)
    try:
        os.environ.update(env)
        credential.cache_clear()
        storage = Storage(account, ca_file)
        storage.create_container(WORKSPACE_CONTAINER)
        cloud = Cloud(settings, url, folder, ca_file)
        cloud.blobs = storage
        with _served(cloud, listening, certificate, key):
            # A workspace answers 204 until its first row, and no export can know that nothing is missing.
            cloud.tables.append("AmlOnlineEndpointEventLog", [{"DeploymentName": "other", "Name": "Started"}])
            yield AnalysisCloud(cloud, env)
    finally:
        azurite_process.kill()  # it would wait for its clients' idle connections, and nobody needs its data
        os.environ.clear()
        os.environ.update(before)
        credential.cache_clear()


@web.middleware
async def _errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except AzureError as error:
        return error_reply(error, Settings().region)


def _may_fail(cloud: Cloud) -> Middleware:
    """`http` faults, as the whole local cloud has them."""

    @web.middleware
    async def may_fail(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        fault = cloud.faults.take("http", subject_of(request))
        return await handler(request) if fault is None else await strike(request, lambda: handler(request), fault)

    return may_fail


@contextmanager
def _served(cloud: Cloud, listening: socket.socket, certificate: Path, key: Path) -> Iterator[None]:
    loop, ready = asyncio.new_event_loop(), threading.Event()
    ending = asyncio.Event()

    async def serve() -> None:
        app = web.Application(client_max_size=2**26, middlewares=[_may_fail(cloud), _errors])
        for part in (identity, monitor, arm, eventgrid):
            part.setup(app, cloud)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        await web.SockSite(runner, listening, ssl_context=context).start()
        ready.set()
        await ending.wait()
        for connection in runner.server.connections if runner.server else ():
            if connection.transport is not None:
                connection.transport.abort()  # a polite TLS good-bye would outlive the loop
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    try:
        assert ready.wait(20), "the cloud did not start"
        yield
    finally:
        loop.call_soon_threadsafe(ending.set)
        thread.join(20)
        loop.close()
