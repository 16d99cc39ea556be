"""Keeps one Functions host process running: started, restarted when it dies, killed on request.

Azure restarts a dead host by itself, so a crash of the app shows up as a gap and not as an end. Only the first start
is strict: an app that does not index is the developer's to mend, and says so.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from localcloud import client
from localcloud.files import write_private
from localcloud.functions_host.exit_codes import NOT_INDEXED
from localcloud.host_crash import PID_FILE
from localcloud.processes import Child, StackFailed

_READY_SECONDS = 60.0
_WATCH_SECONDS = 0.1
_POLL_SECONDS = 0.02
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 10.0


class FunctionsProcess:
    """The Functions host of one stack, on one port for good."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        url: str,
        master_key: str,
        folder: Path,
        ca: Path,
    ) -> None:
        self.url = url
        self.pid_file = folder / PID_FILE
        self._command, self._environment = list(command), dict(environment)
        self._master_key, self._ca = master_key, ca
        self._log = folder / "logs" / "functions.log"
        self._child: Child | None = None
        self._wanted, self._was_ready = False, False
        self._guard = threading.RLock()
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="functions-watch", daemon=True)

    def start(self) -> None:
        """Start the process; it is not awaited."""
        with self._guard:
            self._wanted = True
            self._launch()
            if not self._watcher.is_alive():
                self._watcher.start()

    def wait_until_ready(self) -> None:
        """Return when every function listens; StackFailed with the host's own words when it does not come up.

        A host that was ready once may die and be replaced meanwhile; one that never was, or does not index, may not.
        """
        deadline = time.monotonic() + _READY_SECONDS
        while not self._is_ready():
            with self._guard:
                child = self._child
            if child is None:
                raise StackFailed("The Functions host was not started.")
            if not child.is_running and (not self._was_ready or child.process.returncode == NOT_INDEXED):
                raise StackFailed(f"The Functions host did not start. Its output ({self._log}):\n{child.output()}")
            if time.monotonic() > deadline:
                raise StackFailed(f"The Functions host is not ready. Its output ({self._log}):\n{child.output()}")
            time.sleep(_POLL_SECONDS)
        self._was_ready = True

    def restart(self) -> None:
        """End it in order if it runs, start it again, and wait until it is ready."""
        with self._guard:
            if self._child is not None:
                self._child.stop()
            self.start()
        self.wait_until_ready()

    def kill(self, *, restart: bool) -> None:
        """SIGKILL; with `restart` the watcher brings it back at once."""
        with self._guard:
            self._wanted = restart
            if not restart:
                self.pid_file.unlink(missing_ok=True)
            if self._child is not None:
                self._child.kill()

    def stop(self) -> None:
        """End it for good."""
        self._ended.set()
        with self._guard:
            self._wanted = False
            if self._child is not None:
                self._child.stop()
            self.pid_file.unlink(missing_ok=True)

    def _launch(self) -> None:
        if self._child is not None:
            self._child.stop()  # it has ended; its pipe has not
        self._child = Child("The Functions host", self._command, self._environment, self._log)
        write_private(self.pid_file, f"{self._child.pid}\n".encode())

    def _is_ready(self) -> bool:
        headers = {"x-functions-key": self._master_key}
        reply = client.call("GET", f"{self.url}/admin/host/status", ca_file=self._ca, headers=headers)
        return reply is not None and reply.status == 200 and reply.body.get("state") == "Running"

    def _watch(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while not self._ended.wait(_WATCH_SECONDS):
            with self._guard:
                dead = self._wanted and self._was_ready and self._child is not None and not self._child.is_running
            if not dead:
                continue
            print(f"localcloud: the Functions host ended; starting it again. Its output: {self._log}", file=sys.stderr)
            if self._ended.wait(pause):
                return
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            with self._guard:
                if self._wanted and self._child is not None and not self._child.is_running:
                    self._launch()
