"""The echo app on a local stack, what it saw, and the clients to reach it."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from azure.core.exceptions import ResourceExistsError
from azure.storage.queue import QueueClient, QueueServiceClient

from localcloud.settings import Settings
from localcloud.supervisor import Stack

T = TypeVar("T")

APP = Path(__file__).with_name("apps") / "echo"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Echo:
    """One running stack with the echo app."""

    stack: Stack
    file: Path

    def seen(self, kind: str, **having: Any) -> list[dict[str, Any]]:
        """What the app's functions wrote of this kind, with these values."""
        if not self.file.exists():
            return []
        lines = [json.loads(line) for line in self.file.read_text().splitlines()]
        return [one for one in lines if one["kind"] == kind and all(one.get(k) == v for k, v in having.items())]

    def call(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One HTTP request to the Functions host; an error status is an answer."""
        url = self.stack.env["FUNCTIONS_URL"] + path
        request = urllib.request.Request(url, data=body, method=method, headers=dict(headers or {}))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as response:
                return Answer(response.status, dict(response.headers), response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())

    def queue(self, name: str) -> QueueClient:
        """A client of the stack's queue, made if it is missing."""
        service = QueueServiceClient.from_connection_string(
            self.stack.env["AZURE_STORAGE_CONNECTION_STRING"], connection_verify=self.stack.env["LOCALCLOUD_CA"]
        )
        client = service.get_queue_client(name)
        with suppress(ResourceExistsError):
            client.create_queue()
        return client

    def send_work(self, **message: Any) -> None:
        """A message for the app's queue function, encoded as every Functions host expects it."""
        self.queue("echo-work").send_message(base64.b64encode(json.dumps(message).encode()).decode())


@contextmanager
def running_echo(folder: Path, *, app: Path = APP) -> Iterator[Echo]:
    """A stack of its own in `folder`."""
    file = folder / "seen.jsonl"
    extra = {"ECHO_FILE": str(file), "ECHO_SCHEDULE": "*/1 * * * * *"}
    with Stack(folder / ".local", app=app, settings=Settings(minute_seconds=2.0), extra=extra) as stack:
        yield Echo(stack, file)


def eventually(look: Callable[[], T], *, seconds: float = 20.0) -> T:
    """Look until there is something true to see; the last look's result either way."""
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found
