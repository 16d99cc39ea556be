"""Child processes of the local stack: started, awaited, ended, and never left behind.

Each child holds the reading end of a pipe as its stdin. When the parent ends, by whatever signal, the pipe closes and
the child ends itself: a parent killed with -9 cannot end anybody. Children get their own session, so that Ctrl-C
in a terminal reaches only the parent, which then ends them in order.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

#: How long a child may take to end after SIGTERM before it is killed.
STOP_SECONDS = 8.0
_POLL_SECONDS = 0.02


class StackFailed(Exception):
    """The local stack cannot run; the message says why and what to do."""


class Child:
    """One running child process; its output goes to a log file."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self.log_start = output.tell()
            self.process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The operating system's id of the process."""
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    def output(self, *, tail: int = 4000) -> str:
        """The last characters that this process wrote."""
        with self.log.open("rb") as file:
            file.seek(self.log_start)
            return file.read().decode(errors="replace")[-tail:]

    def tell(self, line: str) -> None:
        """Give it one line on its stdin; what it may no longer read is nobody's loss: it has ended."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(f"{line}\n".encode())
            self.process.stdin.flush()

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """Poll until ready; StackFailed with the child's last words when it ends first or takes too long."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.is_running:
                raise StackFailed(
                    f"{self.name} ended (exit {self.process.returncode}) before it was ready.{self._why()}"
                )
            if time.monotonic() > deadline:
                raise StackFailed(f"{self.name} was not ready within {seconds:g} s.{self._why()}")
            time.sleep(_POLL_SECONDS)

    def stop(self, *, seconds: float = STOP_SECONDS) -> None:
        """SIGTERM, then SIGKILL when it does not end in time."""
        if self.is_running:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        self._close_pipe()

    def kill(self) -> None:
        """SIGKILL, as a lost machine would end it."""
        self.process.kill()
        self.process.wait()
        self._close_pipe()

    def _close_pipe(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()

    def _why(self) -> str:
        return f" Its output ({self.log}):\n{self.output().strip() or '(nothing)'}"


def follow_parent() -> None:
    """End this process in order when its parent ends. Called first thing by every Python child."""
    threading.Thread(target=_end_with_parent, name="follow-parent", daemon=True).start()


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_SECONDS)
    os._exit(1)


def reserve_port() -> socket.socket:
    """A loopback port that stays ours while the socket is open.

    The socket is bound and never listens: a server of ours that binds with SO_REUSEPORT may come, go and come back on
    the port, and nobody else is given it meanwhile.
    """
    reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reserved.bind(("127.0.0.1", 0))
    return reserved


def listening_socket(port: int) -> socket.socket:
    """A listening loopback socket on a port of `reserve_port` (0: any free port)."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(512)
    return listening
