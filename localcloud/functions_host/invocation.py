"""Runs one function once, as the Python worker does: sync code in a thread pool, async code on the loop.

One line per invocation goes to the log, with its duration and, when it failed, the traceback.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import threading
import time
import traceback
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

from localcloud.functions_host.functions import HTTP, Function

_LOG = logging.getLogger("host")


class InvocationFailed(Exception):
    """The function raised, or answered in a way that the worker refuses; the message is its first line."""


class Invoker:
    """The worker's invocation loop, with its pool size: PYTHON_THREADPOOL_THREAD_COUNT, else min(32, cpus + 4)."""

    def __init__(self, folder: str, timeout: float | None, on_timeout: Callable[[], None]) -> None:
        """`timeout` in seconds, None: unbounded. `on_timeout` must end the worker: a thread cannot be stopped."""
        size = int(os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT") or min(32, (os.cpu_count() or 1) + 4))
        self._folder, self._timeout, self._on_timeout = folder, timeout, on_timeout
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="function")
        self._running: set[asyncio.Task[Any]] = set()

    async def run(self, function: Function, data: Any, *, reason: str, retry: Any = None) -> Any:
        """The function's return value; InvocationFailed when it did not succeed.

        A caller that is cancelled leaves the function running: a client that hangs up or a host that stops ends none.
        """
        task = asyncio.create_task(self._run(function, data, reason, retry))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def drain(self) -> None:
        """Wait until nothing runs any more."""
        while self._running:
            await asyncio.wait(self._running)

    async def _run(self, function: Function, data: Any, reason: str, retry: Any) -> Any:
        invocation_id = str(uuid.uuid4())
        arguments = {function.parameter: data}
        if function.wants_context:
            arguments["context"] = _context(function, invocation_id, self._folder, retry)
        started = time.monotonic()
        watch = self._watch(function, invocation_id)
        try:
            result = await self._call(function, arguments)
            if function.trigger != HTTP and result is not None:
                raise RuntimeError(f"function '{function.name}' without a $return binding returned a non-None value")
        except Exception as error:
            self._log(function, invocation_id, reason, started, failed=True)
            raise InvocationFailed(f"{type(error).__name__}: {error}") from error
        finally:
            watch.cancel()
        self._log(function, invocation_id, reason, started, failed=False)
        return result

    def _watch(self, function: Function, invocation_id: str) -> asyncio.TimerHandle:
        """As Azure: the whole worker is restarted, and whatever else it ran dies with it."""

        def expire() -> None:
            limit = f"timeout value of {self._timeout:g} seconds was exceeded by function '{function.name}'"
            _LOG.error("%s (Id: '%s'). Restarting the worker.", limit, invocation_id)
            self._on_timeout()

        loop = asyncio.get_running_loop()
        handle = loop.call_later(self._timeout if self._timeout is not None else 0, expire)
        if self._timeout is None:
            handle.cancel()
        return handle

    async def _call(self, function: Function, arguments: dict[str, Any]) -> Any:
        if function.is_async:
            return await function.call(**arguments)
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lambda: context.run(function.call, **arguments))

    def _log(self, function: Function, invocation_id: str, reason: str, started: float, *, failed: bool) -> None:
        duration = (time.monotonic() - started) * 1000
        outcome = "Failed" if failed else "Succeeded"
        line = f"Executed '{function.name}' ({outcome}, {reason}, Id={invocation_id}, Duration={duration:.0f}ms)"
        if failed:
            _LOG.error("%s\n%s", line, traceback.format_exc().rstrip())
        else:
            _LOG.info("%s", line)


def _context(function: Function, invocation_id: str, folder: str, retry: Any) -> Any:
    storage = threading.local()
    storage.invocation_id = invocation_id
    return SimpleNamespace(
        invocation_id=invocation_id,
        function_name=function.name,
        function_directory=folder,
        thread_local_storage=storage,
        trace_context=SimpleNamespace(trace_parent=None, trace_state=None, attributes={}),
        retry_context=retry,
    )
