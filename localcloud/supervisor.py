"""One local stack: Azurite, the cloud process and the Functions host, started together and ended together.

`with Stack(folder) as stack:` gives a running stack whose `env` is what `.local/env` holds. That file is written
last, when everything answers, and removed first. The Functions host is restarted when it dies, as Azure does.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO

from localcloud import azurite, certificates, client, environment, identity, secrets_file, subscriptions
from localcloud.functions_process import FunctionsProcess
from localcloud.processes import Child, StackFailed, reserve_port
from localcloud.scoring.options import ScoringOptions
from localcloud.settings import Settings
from localcloud.storage import Storage, preload

REPOSITORY = Path(__file__).resolve().parents[1]
_READY_SECONDS = 60.0
#: The container that the app reads its policies from (contracts.md, "Storage").
_POLICY_CONTAINER = "policies"


class Stack:
    """A local Azure with the app running on it."""

    def __init__(
        self,
        folder: Path = Path(".local"),
        *,
        app: Path | None = REPOSITORY,
        policies: Path | None = None,
        settings: Settings | None = None,
        scoring: ScoringOptions | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        """`app` is the folder of function_app.py (None: no Functions host); `extra` goes over the stack's own `env`."""
        self.folder = folder.resolve()
        self.settings, self._scoring = settings or Settings(), scoring or ScoringOptions()
        self.env: dict[str, str] = {}
        """Every key of `.local/env`; empty until started."""
        self._app, self._policies, self._extra = app, policies, dict(extra or {})
        self._ports: list[socket.socket] = []
        self._children: list[Child] = []
        self._functions: FunctionsProcess | None = None
        self._lock_file: IO[str] | None = None
        self._stopping = threading.Event()

    @property
    def env_file(self) -> Path:
        """The file that outside scripts source."""
        return self.folder / "env"

    @property
    def logs(self) -> Path:
        """The folder with one log per process."""
        return self.folder / "logs"

    @property
    def failure(self) -> str | None:
        """Why the stack no longer works: a part that may not die has died."""
        if self._stopping.is_set():
            return None
        dead = [child for child in self._children if not child.is_running]
        return "; ".join(f"{child.name} ended unexpectedly, see {child.log}" for child in dead) or None

    def __enter__(self) -> Stack:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything and return when it is ready; StackFailed says what did not come up and why."""
        self._take_folder()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End everything, the newest first. May be called again."""
        self._stopping.set()
        if self._lock_file is not None:
            self.env_file.unlink(missing_ok=True)
        if self._functions is not None:
            self._functions.stop()
        for child in reversed(self._children):
            child.stop()
        for reserved in self._ports:
            reserved.close()
        if self._lock_file is not None:
            self._lock_file.close()
        self._functions, self._lock_file = None, None
        self._children.clear()
        self._ports.clear()

    def restart_functions(self) -> None:
        """End the Functions host in order, if it runs, start a new one and wait until it is ready."""
        self._host().restart()

    def kill_functions(self, *, restart: bool = True) -> None:
        """Kill the Functions host with SIGKILL. The supervisor brings it back, unless told to leave it dead."""
        self._host().kill(restart=restart)

    def wait_for_functions(self) -> None:
        """Return when the Functions host answers, for example after it was killed."""
        self._host().wait_until_ready()

    def _start(self) -> None:
        secrets = secrets_file.load(self.folder)
        ca_file = certificates.authority(self.folder)
        certificate, key = certificates.issue(self.folder, "localhost", "127.0.0.1")
        storage_process = azurite.launch(self.folder, self.logs, certificate, key)
        self._children.append(storage_process)
        cloud_port, functions_port = self._reserve(), self._reserve()
        cloud = self._start_cloud(cloud_port, ca_file)
        preload()
        account = storage_process.wait_until_ready()
        at = environment.Addresses(
            cloud_url=f"https://localhost:{cloud_port}",
            functions_url=f"http://localhost:{functions_port}",
            account=account,
            ca_file=ca_file,
        )
        self.env = {**environment.compose(self.settings, secrets, at), **self._extra}
        cloud.tell(json.dumps({"account": asdict(account), "environment": self.env}))
        self._upload_policies(Storage(account, ca_file))
        if self._app is not None:
            self._functions = self._start_functions(self._app, functions_port, secrets, ca_file)
        cloud.wait_until(lambda: _answers(at, ca_file), seconds=_READY_SECONDS)
        if self._functions is not None:
            self._functions.wait_until_ready()
            subscriptions.create(self.settings, self.env, ca_file)
        environment.write(self.env_file, self.env)

    def _start_cloud(self, port: int, ca_file: Path) -> Child:
        """It loads its code at once and serves when it is told where storage is."""
        command = [sys.executable, "-m", "localcloud", "cloud", "--folder", str(self.folder), "--port", str(port)]
        own = {
            **environment.trust(ca_file),
            **environment.from_settings(self.settings),
            **environment.from_settings(self._scoring),
        }
        child = Child("The cloud process", command, environment.for_child(own), self.logs / "cloud.log")
        self._children.append(child)
        return child

    def _start_functions(self, app: Path, port: int, secrets: secrets_file.Secrets, ca_file: Path) -> FunctionsProcess:
        command = [sys.executable, "-m", "localcloud", "host", "--app", str(app.resolve())]
        command += ["--folder", str(self.folder), "--port", str(port)]
        command += ["--http-answer-seconds", str(self.settings.http_answer_seconds)]
        host = FunctionsProcess(
            command,
            environment.for_child(self.env),
            url=self.env["FUNCTIONS_URL"],
            master_key=secrets.functions_master_key,
            folder=self.folder,
            ca=ca_file,
        )
        host.start()
        return host

    def _upload_policies(self, storage: Storage) -> None:
        storage.create_container(_POLICY_CONTAINER)
        if self._policies is None:
            return
        if not self._policies.is_dir():
            raise StackFailed(f"There is no policy folder {self._policies}. Make it, or name another one.")
        for path in sorted(self._policies.iterdir()):
            if path.suffix in (".yaml", ".yml"):
                storage.upload(_POLICY_CONTAINER, path.name, path.read_bytes())

    def _take_folder(self) -> None:
        self._stopping.clear()
        self.folder.mkdir(parents=True, exist_ok=True)
        lock_file = (self.folder / "lock").open("a+")
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock_file.seek(0)
            owner = lock_file.read().strip()
            lock_file.close()
            raise StackFailed(
                f"Another local stack (process {owner}) runs in {self.folder}. Stop it, or give --folder."
            ) from None
        lock_file.truncate(0)
        lock_file.write(str(os.getpid()))
        lock_file.flush()
        self._lock_file = lock_file
        self.env_file.unlink(missing_ok=True)

    def _reserve(self) -> int:
        reserved = reserve_port()
        self._ports.append(reserved)
        return int(reserved.getsockname()[1])

    def _host(self) -> FunctionsProcess:
        if self._functions is None:
            raise StackFailed("This stack runs no Functions host.")
        return self._functions


def _answers(at: environment.Addresses, ca_file: Path) -> bool:
    """A refused token request is proof enough: the server listens and has its routes."""
    return client.call("GET", f"{at.cloud_url}{identity.PATH}", ca_file=ca_file) is not None
