"""The cloud process: one aiohttp server over TLS for everything but scoring and the app's own doors.

It is started at the same time as Azurite, loads its code meanwhile, and is then told where storage is and what the
stack's environment is (jobs get it) by a line of JSON on its stdin: {"account": {...}, "environment": {...}}.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import ssl
import sys
from pathlib import Path

from aiohttp import web

from localcloud import certificates, settings
from localcloud.azurite import Account
from localcloud.processes import follow_parent, listening_socket
from localcloud.storage import WORKSPACE_CONTAINER, Storage


def run(folder: Path, port: int) -> int:
    """Serve until SIGTERM; the exit code."""
    import azure.storage.blob

    import localcloud.server

    del azure, localcloud  # loaded while Azurite starts, used below
    told = sys.stdin.readline()
    if not told:
        return 1  # the parent is gone before it had something to tell
    follow_parent()
    stack = json.loads(told)
    os.environ.update(stack["environment"])
    asyncio.run(_serve(folder, port, Account(**stack["account"])))
    return 0


async def _serve(folder: Path, port: int, account: Account) -> None:
    from localcloud.server import build

    ca_file = certificates.authority(folder)
    storage = Storage(account, ca_file)
    await asyncio.to_thread(storage.create_container, WORKSPACE_CONTAINER)
    app = build(settings.from_environment(), f"https://localhost:{port}", folder, ca_file, storage)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificates.issue(folder, "localhost", "127.0.0.1"))
    await web.SockSite(runner, listening_socket(port), ssl_context=context).start()
    try:
        await _terminated()
    finally:
        await runner.cleanup()


async def _terminated() -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, ended.set)
    await ended.wait()
