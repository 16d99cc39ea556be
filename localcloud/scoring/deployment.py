"""One deployment over its life: its container, the next one when that dies, and the events that Azure logs of it.

An update brings the new container up beside the old one and moves the requests over, so an update that fails leaves
the old container serving (UNCONFIRMED in Azure).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from localcloud.faults import Faults
from localcloud.scoring.collected import Upload
from localcloud.scoring.console_log import ConsoleLog
from localcloud.scoring.container_process import ContainerProcess
from localcloud.scoring.front_process import FrontProcess
from localcloud.scoring.options import ScoringOptions
from localcloud.scoring.starter import Starter
from localcloud.seams import Json, ServingFailed, ServingSpec, utc_now

TABLE = "AmlOnlineEndpointEventLog"
_LONGEST_BACK_OFF = 30


@dataclass(frozen=True)
class Surroundings:
    """What a deployment needs from the cloud around it."""

    front: FrontProcess
    starter: Starter
    options: ScoringOptions
    folder: Path
    append: Callable[[str, list[Json]], None]
    upload: Upload
    faults: Faults
    back_off_seconds: float
    """The first wait before a crashed container is restarted; it doubles each time."""


class Deployment:
    """Requests reach it once `start` has returned, until `stop`."""

    def __init__(self, spec: ServingSpec, around: Surroundings) -> None:
        self.spec, self._around = spec, around
        self._log = ConsoleLog(spec, around.options, around.append)
        self._container: ContainerProcess | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def start(self, spec: ServingSpec) -> None:
        """Serve this spec, in place of the one before if there is one; ServingFailed leaves everything as it was."""
        new, old = await self._bring_up(spec), self._container
        await self._stop_keeping()
        self.spec, self._container = spec, new
        await self._route_to(new.address)
        self._keeper = asyncio.create_task(self._keep_running(new))
        if old is not None:
            await self._end(old)

    async def stop(self) -> None:
        """Let the requests under way finish, then end the container."""
        await self._stop_keeping()
        await self._around.front.retire(self.spec.endpoint, self.spec.deployment)
        await self.kill()

    async def kill(self) -> None:
        """End the container without asking the front: for when everything ends."""
        await self._stop_keeping()
        if self._container is not None:
            await self._end(self._container)
            self._container = None

    @property
    def address(self) -> str:
        """Where the container listens; empty before the first start."""
        return self._container.address if self._container else ""

    def console(self, tail: int) -> str:
        """The last lines of the console."""
        return self._log.tail(tail)

    def crash_if_ordered(self) -> None:
        """Kill the running container when a fault says so; it is then restarted as after any crash."""
        if self._container is not None and self._container.address and self._crash_ordered():
            self._container.kill()

    def _crash_ordered(self) -> bool:
        subject = f"{self.spec.endpoint}/{self.spec.deployment}"
        return self._around.faults.take("container.crash", subject) is not None

    async def _bring_up(self, spec: ServingSpec) -> ContainerProcess:
        container = ContainerProcess(spec, self._around.options, self._log, self._around.folder, self._around.upload)
        self._event(container, "Created", "Created container inference-server")
        await container.start(self._around.starter)
        if self._crash_ordered():
            container.kill()
            await container.ended()
            await container.stop()
            raise ServingFailed("ResourceNotReady", "User container has crashed or terminated: killed on order (fault)")
        self._event(container, "Started", "Started container inference-server")
        return container

    async def _end(self, container: ContainerProcess) -> None:
        self._event(container, "Killing", "Stopping container inference-server")
        await container.stop()

    async def _keep_running(self, container: ContainerProcess) -> None:
        wait = self._around.back_off_seconds
        longest = wait * _LONGEST_BACK_OFF
        while True:
            await container.ended()
            await container.stop()
            await self._route_to(None)
            while True:
                self._event(container, "BackOff", f"Back-off {wait:g}s restarting failed container=inference-server")
                await asyncio.sleep(wait)
                wait = min(wait * 2, longest)
                try:
                    container = self._container = await self._bring_up(self.spec)
                    break
                except ServingFailed:
                    continue
            await self._route_to(container.address)

    async def _route_to(self, address: str | None) -> None:
        spec = self.spec
        backend = {
            "deployment": spec.deployment,
            "address": address,
            "concurrency": spec.max_concurrent_requests_per_instance,
            "instances": spec.instance_count,
            "timeout": spec.request_timeout_seconds,
        }
        await self._around.front.set_backend(spec.endpoint, backend)

    async def _stop_keeping(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None

    def _event(self, container: ContainerProcess, name: str, message: str) -> None:
        row = {
            "TimeGenerated": utc_now(),
            "_ResourceId": self.spec.resource_id,
            "DeploymentName": self.spec.deployment,
            "InstanceId": container.instance_id,
            "Name": name,
            "Message": message,
        }
        self._around.append(TABLE, [row])
