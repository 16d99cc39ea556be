"""`host.crash`: the Functions host is killed in the middle of whatever it does, and the supervisor starts it again.

The cloud process knows the host only by the file that holds its process id. Where an order says `times`, the next host
is killed as soon as it has been started.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from localcloud.seams import Cloud

KIND, SUBJECT = "host.crash", "functions host"
PID_FILE = "functions.pid"
_PAUSE_SECONDS = 0.02


def setup(app: web.Application, cloud: Cloud) -> None:
    """Kill on order for as long as the cloud runs."""
    ordered = asyncio.Event()

    async def changed() -> None:
        ordered.set()

    async def killing(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(_kill_on_order(cloud, ordered))
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    cloud.faults.on_change(changed)
    app.cleanup_ctx.append(killing)


async def _kill_on_order(cloud: Cloud, ordered: asyncio.Event) -> None:
    killed: int | None = None
    while True:
        await ordered.wait()
        ordered.clear()
        while cloud.faults.waiting(KIND):
            pid = _pid(cloud.folder / PID_FILE)
            if pid is None or pid == killed:
                await asyncio.sleep(_PAUSE_SECONDS)  # there is none, or the next one is not there yet
                continue
            if cloud.faults.take(KIND, SUBJECT) is None:
                break  # its `match` is for something else
            killed = pid
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _pid(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None
