"""The Functions host process: load the app, listen, and end in order on SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from localcloud import secrets_file
from localcloud.functions_host.access import Access
from localcloud.functions_host.admin import Admin
from localcloud.functions_host.connection import Storage
from localcloud.functions_host.event_grid_trigger import EventGridTrigger
from localcloud.functions_host.exit_codes import NOT_INDEXED, TIMED_OUT
from localcloud.functions_host.functions import QUEUE, TIMER, Function
from localcloud.functions_host.http_trigger import HttpLimits, HttpTrigger
from localcloud.functions_host.invocation import Invoker
from localcloud.functions_host.listener_lock import ListenerLock
from localcloud.functions_host.loading import AppFailed, load
from localcloud.functions_host.options import Options, read
from localcloud.functions_host.queue_trigger import QueueTrigger
from localcloud.functions_host.timer_trigger import TimerTrigger
from localcloud.processes import follow_parent, listening_socket

_LOG = logging.getLogger("host")
_STORAGE = "AzureWebJobsStorage"
#: How long running invocations may go on after SIGTERM.
GRACE_SECONDS = 5.0


def run(app: Path, folder: Path, port: int, http_answer_seconds: float) -> int:
    """Serve until SIGTERM; the exit code. 3 when the app does not index."""
    follow_parent()
    _log_to_stdout()
    try:
        options = read(app)
        limits = HttpLimits.read(http_answer_seconds, os.environ)
        functions = load(app, os.environ)
    except (AppFailed, ValueError) as error:
        print(f"The app in {app} does not index, no function of it can run: {error}", flush=True)
        return NOT_INDEXED
    _tell_problems(functions, app)
    limit = options.function_timeout
    invoker = Invoker(str(app), limit.total_seconds() if limit else None, _end_at_once)
    access = Access(secrets_file.load(folder))
    admin = Admin(functions, invoker, access, options.bundle)
    http = HttpTrigger(functions, invoker, access, options.route_prefix, limits)
    webhook = EventGridTrigger(functions, invoker, access)
    listeners = _listeners(functions, options, invoker, folder)
    asyncio.run(_serve(_web_app(admin, webhook, http, limits), listeners, invoker, admin, port))
    sys.stdout.flush()
    # A function that outlived its grace must not keep the process alive: its work is at least once anyway.
    os._exit(0)


def _tell_problems(functions: Sequence[Function], app: Path) -> None:
    for function in functions:
        if function.problem:
            _LOG.error("The '%s' function is in error: %s", function.name, function.problem)
        if function.retry and function.trigger != TIMER:
            _LOG.warning("'%s': Azure has no retry policy for %s; it is ignored", function.name, function.trigger)
    if not functions:
        _LOG.warning("No functions were found in %s.", app)


async def _serve(
    app: web.Application, listeners: Sequence[TimerTrigger | QueueTrigger], invoker: Invoker, admin: Admin, port: int
) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.SockSite(runner, listening_socket(port))
    await site.start()
    listening = [asyncio.create_task(listener.listen()) for listener in listeners]
    admin.state = "Running"
    _LOG.info("Host started on %s", site.name)
    await ended.wait()
    _LOG.info("Host is stopping")
    for task in listening:
        task.cancel()
    await site.stop()
    draining = [invoker.drain(), *(listener.drain() for listener in listeners if isinstance(listener, QueueTrigger))]
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(*draining), GRACE_SECONDS)
    await runner.cleanup()


def _web_app(admin: Admin, webhook: EventGridTrigger, http: HttpTrigger, limits: HttpLimits) -> web.Application:
    app = web.Application(client_max_size=limits.body_bytes)
    admin.add_routes(app)
    # The extension's name is compared without regard to case, the function's name is not.
    path = "/runtime/webhooks/{extension:(?i:eventgrid)}"
    app.router.add_route("POST", path, webhook.handle)
    app.router.add_route("OPTIONS", path, webhook.handle)
    app.router.add_route("*", "/{path:.*}", http.handle)
    return app


def _listeners(
    functions: Sequence[Function], options: Options, invoker: Invoker, folder: Path
) -> list[TimerTrigger | QueueTrigger]:
    storages: dict[str, Storage] = {}

    def storage(connection: str) -> Storage:
        if connection not in storages:
            storages[connection] = Storage(connection, os.environ)
        return storages[connection]

    listeners: list[TimerTrigger | QueueTrigger] = []
    for function in functions:
        if function.runs and function.trigger == TIMER:
            lock = ListenerLock(folder, function.name)
            listeners.append(TimerTrigger(function, invoker, storage(_STORAGE), lock))
        if function.runs and function.trigger == QUEUE:
            connection = str(function.settings.get("connection") or _STORAGE)
            listeners.append(QueueTrigger(function, invoker, storage(connection), options))
    return listeners


def _end_at_once() -> None:
    """A run that takes too long cannot be stopped, only its process; the supervisor starts a new one."""
    sys.stdout.flush()
    os._exit(TIMED_OUT)


def _log_to_stdout() -> None:
    logging.basicConfig(
        stream=sys.stdout,
        level=logging.INFO,
        format="%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )
    logging.Formatter.converter = time.gmtime
    for noisy in ("azure", "urllib3", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
