"""Starting container processes, by one of two ways that look the same from outside: fork (fast) or spawn (plain).

Both hand the new process a spec file, a pipe for its console and a control socket, and give back its process id.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from pathlib import Path
from typing import Protocol

_ROOT = Path(__file__).parents[2]
_STOP_SECONDS = 5.0
#: The Functions host starts at the same time, and whoever started the stack waits for that one first.
_WARM_UP_AFTER_SECONDS = 1.0


class Starter(Protocol):
    """How containers come to life."""

    async def start_container(self, spec_file: Path, console_fd: int, control: socket.socket) -> int:
        """The process id of a new container; both descriptors are copied, the caller closes its own."""

    async def close(self) -> None:
        """Let go of whatever helps with starting; containers are stopped by who started them."""


class ForkStarter:
    """Asks `localcloud.scoring.launcher`, which is started with the first need and again when it died."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._channel: socket.socket | None = None
        self._warming: asyncio.Task[None] | None = None

    async def warm_up(self) -> None:
        """Start the launcher, whose imports take seconds, before it is needed, and after the rest of the stack."""
        self._warming = asyncio.create_task(self._warm_up())

    async def _warm_up(self) -> None:
        await asyncio.sleep(_WARM_UP_AFTER_SECONDS)
        async with self._lock:
            await self._connect()

    async def start_container(self, spec_file: Path, console_fd: int, control: socket.socket) -> int:
        """Fork one; a launcher that died meanwhile is replaced once."""
        copies = (os.dup(console_fd), os.dup(control.fileno()))
        # Shielded: a request whose answer nobody reads would hand its process id to the next one.
        return await asyncio.shield(asyncio.create_task(self._start_container(spec_file, copies)))

    async def close(self) -> None:
        """End the launcher."""
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.gather(self._warming, return_exceptions=True)
        async with self._lock:
            await self._disconnect()

    async def _start_container(self, spec_file: Path, fds: tuple[int, int]) -> int:
        try:
            async with self._lock:
                for _ in range(2):
                    channel = await self._connect()
                    try:
                        return await self._fork(channel, spec_file, fds)
                    except ConnectionError:
                        await self._disconnect()
        finally:
            for fd in fds:
                os.close(fd)
        raise RuntimeError("The launcher of containers dies at once; its error is on this process's stderr.")

    async def _fork(self, channel: socket.socket, spec_file: Path, fds: tuple[int, int]) -> int:
        socket.send_fds(channel, [f"{spec_file}\n".encode()], list(fds))
        answer = await asyncio.get_running_loop().sock_recv(channel, 64)
        if not answer:
            raise ConnectionError
        return int(answer)

    async def _connect(self) -> socket.socket:
        if self._channel is None:
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            with theirs:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "localcloud.scoring.launcher", str(theirs.fileno())),
                    pass_fds=(theirs.fileno(),),
                    cwd=_ROOT,
                    env=_one_thread_each(),
                    start_new_session=True,
                )
            self._channel = ours
        return self._channel

    async def _disconnect(self) -> None:
        if self._channel is None or self._process is None:
            return
        self._channel.close()
        self._channel = None
        with contextlib.suppress(ProcessLookupError):
            # It may still be in its imports, which take seconds; it holds nothing that could be lost.
            self._process.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


class SpawnStarter:
    """A new interpreter per container: slower by the time of its imports, but nothing is shared."""

    def __init__(self) -> None:
        self._waits: set[asyncio.Task[int]] = set()

    async def start_container(self, spec_file: Path, console_fd: int, control: socket.socket) -> int:
        """Run one as its own program."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "localcloud.scoring.container", str(spec_file), str(control.fileno())),
            pass_fds=(control.fileno(),),
            stdout=console_fd,
            stderr=console_fd,
            cwd=_ROOT,
            env=_one_thread_each(),
            start_new_session=True,
        )
        wait = asyncio.create_task(process.wait())
        self._waits.add(wait)
        wait.add_done_callback(self._waits.discard)
        return process.pid

    async def close(self) -> None:
        """Wait for the ends of all that were started; their owner has stopped them."""
        await asyncio.gather(*self._waits)


def _one_thread_each() -> dict[str, str]:
    """Many small models on few cores: number libraries with thread pools would only fight, and forbid forking."""
    single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return {**single, "JE_ARROW_MALLOC_CONF": "background_thread:false", **os.environ}
