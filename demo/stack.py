"""The local stack as the demo's own child: `python -m localcloud up`, its environment read from the file it writes."""

from __future__ import annotations

import os
import shlex
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

READY_SECONDS = 120.0
STOP_SECONDS = 20.0
#: The real SDKs take these from the environment, as in any user's script.
_FOR_THE_SDKS = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "NO_PROXY", "no_proxy")


class StackFailed(Exception):
    """The stack did not come up; the text says where to look."""


class LocalStack:
    """One stack in its own folder, ended with the demo."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        """`settings` are `localcloud`'s own, for example {"minute_seconds": "5"}."""
        self._folder, self._settings = folder, settings
        self._process: subprocess.Popen[bytes] | None = None
        self.env: dict[str, str] = {}
        """The keys of `.local/env`, once started."""

    @property
    def logs(self) -> Path:
        """Where each part of the stack writes its log."""
        return self._folder / "logs"

    @property
    def console(self) -> Path:
        """What the supervisor itself had to say."""
        return self.logs / "stack.log"

    def start(self) -> None:
        """Start, and return when everything answers."""
        self.logs.mkdir(parents=True, exist_ok=True)
        env_file = self._folder / "env"
        env_file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "localcloud", "up", "--with-parent", "--folder", str(self._folder)]
        for name, value in self._settings.items():
            command += ["--set", f"{name}={value}"]
        with self.console.open("wb") as console:
            # Its own session: Ctrl-C reaches the demo, which then ends the stack in order.
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.env = self._await(env_file)
        os.environ.update({name: self.env[name] for name in _FOR_THE_SDKS if name in self.env})

    def failure(self) -> str | None:
        """Why the stack no longer runs, or None."""
        if self._process is None or self._process.poll() is None:
            return None
        return f"the local stack ended with exit code {self._process.returncode}; see {self.console}\n{self._tail()}"

    def tls(self) -> ssl.SSLContext:
        """Trust for the stack's certificates."""
        return ssl.create_default_context(cafile=self.env["LOCALCLOUD_CA"])

    def stop(self) -> None:
        """End the stack and wait for it."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _await(self, env_file: Path) -> dict[str, str]:
        deadline = time.monotonic() + READY_SECONDS
        while not env_file.exists():
            if problem := self.failure():
                raise StackFailed(problem)
            if time.monotonic() > deadline:
                raise StackFailed(f"the local stack was not ready after {READY_SECONDS:g} s; see {self.logs}")
            time.sleep(0.1)
        return read_env(env_file.read_text())

    def _tail(self) -> str:
        return "\n".join(self.console.read_text(errors="replace").splitlines()[-15:])


def read_env(text: str) -> dict[str, str]:
    """The values of a shell file of `KEY=value` lines."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): " ".join(shlex.split(value)) for name, value in pairs}
