"""The scoring front as the cloud process holds it: one port for good, restarted when it dies, told what to do.

The cloud process remembers what it told the front (routes and containers), so a new front gets the whole picture
before it takes its first request, and the port never changes.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localcloud.faults import Faults
from localcloud.scoring.channel import Channel, ChannelClosed, Message
from localcloud.scoring.options import ScoringOptions

_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_RESTART_SECONDS = 0.2


class FrontProcess:
    """`tell` makes a change and returns when it is in force; it outlives a front that dies half-way."""

    def __init__(
        self,
        certificate: Path,
        key: Path,
        options: ScoringOptions,
        take_rows: Callable[[list[list[Any]]], None],
        faults: Faults,
    ) -> None:
        limits = (options.mirror_queue, options.bandwidth_bytes_per_second, options.requests_per_second)
        self._arguments = (str(certificate), str(key), *map(str, limits))
        self._take_rows, self._faults = take_rows, faults
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._known: dict[tuple[str, ...], Message] = {}
        self._channel: Channel | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._up = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port of all scoring URIs."""
        return int(self._listener.getsockname()[1])

    @property
    def pid(self) -> int | None:
        """The process that serves at the moment."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the front, and keep it running until `stop`."""
        self._keeper = asyncio.create_task(self._keep_running())
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._up.wait()
        except TimeoutError:
            await self.stop()
            raise RuntimeError("The scoring front does not start; its error is on this process's stderr.") from None

    async def stop(self) -> None:
        """End the front; what is under way is cut off."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        self._listener.close()

    async def set_routes(self, endpoint: str, routes: Message) -> None:
        """From when this returns, every new request follows these routes."""
        await self._tell(("routes", endpoint), {"do": "routes", "routes": routes})

    async def forget_routes(self, endpoint: str) -> None:
        """The endpoint is gone."""
        await self._tell(("routes", endpoint), {"do": "forget", "endpoint": endpoint}, remember=False)

    async def set_backend(self, endpoint: str, backend: Message) -> None:
        """Requests go to this container; returns when those under way at the one before have their answers."""
        message = {"do": "backend", "endpoint": endpoint, "backend": backend}
        await self._tell(("backend", endpoint, backend["deployment"]), message)

    async def retire(self, endpoint: str, deployment: str) -> None:
        """No more requests for this deployment; returns when those under way have their answers."""
        message = {"do": "retire", "endpoint": endpoint, "deployment": deployment}
        await self._tell(("backend", endpoint, deployment), message, remember=False)

    async def set_faults(self, *, armed: bool) -> None:
        """Whether the front has to ask about each request, because one may be struck."""
        await self._tell(("faults",), {"do": "faults", "armed": armed})

    async def mirrored(self) -> list[Message]:
        """Copies sent and dropped per shadow deployment since it became one."""
        await self._up.wait()
        assert self._channel is not None
        answer = await self._channel.ask({"do": "mirrored"})
        return list(answer["mirrored"])

    async def _tell(self, key: tuple[str, ...], message: Message, *, remember: bool = True) -> None:
        if remember:
            self._known[key] = message
        else:
            self._known.pop(key, None)
        await self._up.wait()
        assert self._channel is not None
        try:
            await self._channel.ask(message)
        except ChannelClosed:
            # The next front starts from `_known`, which has the change already.
            self._up.clear()
            await self._up.wait()

    async def _keep_running(self) -> None:
        while True:
            ours, theirs = socket.socketpair()
            process = self._process = await self._spawn(theirs)
            theirs.close()
            channel = self._channel = await Channel.over(ours, self._hear)
            running = asyncio.create_task(channel.run())
            try:
                with contextlib.suppress(ChannelClosed):
                    for message in list(self._known.values()):
                        await channel.ask(message)
                    await channel.ask({"do": "open"})
                    self._up.set()
                await running
            finally:
                self._up.clear()
                channel.close()
                await _end(process)
            await asyncio.sleep(_RESTART_SECONDS)

    async def _spawn(self, channel: socket.socket) -> asyncio.subprocess.Process:
        fds = (channel.fileno(), self._listener.fileno())
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "localcloud.scoring.front", *map(str, fds), *self._arguments),
            pass_fds=fds,
            cwd=Path(__file__).parents[2],
            start_new_session=True,
        )

    async def _hear(self, message: Message) -> Message | None:
        if message["do"] == "fault":
            fault = self._faults.take("http", message["subject"])
            return {"fault": fault, "armed": self._faults.waiting("http")}
        self._take_rows(message["rows"])
        return None


async def _end(process: asyncio.subprocess.Process) -> None:
    """The front ends itself when its channel closes; one that hangs is killed."""
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
