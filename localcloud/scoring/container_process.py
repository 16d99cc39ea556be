"""One container process as the cloud process holds it: started until ready, its end noticed, stopped for good."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import signal
import socket
from pathlib import Path

from localcloud.scoring.collected import Collected, Upload
from localcloud.scoring.console_log import ConsoleLog, ConsolePipe
from localcloud.scoring.options import ScoringOptions
from localcloud.scoring.starter import Starter
from localcloud.seams import Json, ServingFailed, ServingSpec

_STOP_SECONDS = 4.0
_LAST_WORDS = 20
#: A container must not stall on printing while the cloud process is busy.
_PIPE_BYTES = 1024 * 1024


class ContainerProcess:
    """A process that serves one deployment at `address`, once `start` has returned."""

    def __init__(
        self, spec: ServingSpec, options: ScoringOptions, log: ConsoleLog, folder: Path, upload: Upload
    ) -> None:
        self.spec, self._options, self._log = spec, options, log
        self.instance_id = f"{spec.deployment}-{secrets.token_hex(4)}-{secrets.token_hex(3)[:5]}"
        self._spec_file = folder / f"{self.instance_id}.json"
        self._collected_folder = folder / f"{self.instance_id}.collected"
        places = spec.collector["collections"] if spec.collector else {}
        self._collected = Collected(self._collected_folder, places, upload) if places else None
        self._pid = 0
        self.address = ""

    async def start(self, starter: Starter) -> None:
        """Start and wait until the model is loaded; ServingFailed with its last words when it ends first."""
        read_fd, write_fd = os.pipe()
        _enlarge(write_fd)
        ours, theirs = socket.socketpair()
        await self._listen_to_console(read_fd)
        try:
            self._spec_file.write_text(json.dumps(self._description()))
            self._pid = await starter.start_container(self._spec_file, write_fd, theirs)
        finally:
            os.close(write_fd)
            theirs.close()
        self._control, self._control_writer = await asyncio.open_connection(sock=ours)
        try:
            await self._wait_until_ready()
        except BaseException:
            await self.stop()
            raise
        if self._collected is not None:
            self._collected.start()

    async def ended(self) -> None:
        """Returns when the process is gone and its last line is in the log."""
        with contextlib.suppress(ConnectionError):
            while await self._control.read(1024):
                pass
        await self._pipe.ended

    async def stop(self) -> None:
        """Ask it to end, kill it when it does not; lets go of one that has ended by itself."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if self._control.at_eof():
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, sign)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await self.ended()
        if self._collected is not None:
            await self._collected.finish()
        self._close()

    def kill(self) -> None:
        """End it as the kernel would, without a word."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)

    def _close(self) -> None:
        self._control_writer.close()
        self._transport.close()
        self._log.flush()
        self._spec_file.unlink(missing_ok=True)

    async def _listen_to_console(self, read_fd: int) -> None:
        reader = os.fdopen(read_fd, "rb", buffering=0)
        loop = asyncio.get_running_loop()
        self._transport, self._pipe = await loop.connect_read_pipe(
            lambda: ConsolePipe(self._log, self.instance_id), reader
        )

    async def _wait_until_ready(self) -> None:
        try:
            async with asyncio.timeout(self._options.ready_seconds):
                line = await self._control.readline()
        except TimeoutError:
            raise ServingFailed(
                "ResourceNotReady",
                f"User container did not become ready within {self._options.ready_seconds:g} s.\n{self._last_words()}",
            ) from None
        if not line:
            await self.ended()
            raise ServingFailed(
                "ResourceNotReady", f"User container has crashed or terminated: {self._last_words()}".rstrip()
            )
        self.address = f"http://127.0.0.1:{json.loads(line)['port']}"

    def _last_words(self) -> str:
        return self._log.tail(_LAST_WORDS)

    def _description(self) -> Json:
        spec = self.spec
        environment = {"LOCALCLOUD_CONSOLE_FORMAT": self._options.console_format, **spec.environment_variables}
        return {
            "model_dir": str(spec.model_path.resolve()),
            "model_name": spec.model_name,
            "model_version": spec.model_version,
            "code_path": str(spec.code_path.resolve()) if spec.code_path else None,
            "scoring_script": spec.scoring_script,
            "environment": environment,
            "threads": spec.instance_count * spec.max_concurrent_requests_per_instance,
            "collector": self._collector(),
        }

    def _collector(self) -> Json | None:
        if self.spec.collector is None:
            return None
        rates = {name: one["rate"] for name, one in self.spec.collector["collections"].items()}
        return {
            **self.spec.collector,
            "collections": rates,
            "folder": str(self._collected_folder.resolve()),
            "instance": self.instance_id,
            "model_version": self.spec.model_version,
            "batch_seconds": self._options.collector_batch_seconds,
        }


def _enlarge(pipe_fd: int) -> None:
    if (command := getattr(fcntl, "F_SETPIPE_SZ", None)) is not None:
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe_fd, command, _PIPE_BYTES)
