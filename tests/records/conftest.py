"""Storage, an Event Grid topic and Application Insights for records and events, without endpoints and the app."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.storage.queue import QueueClient

from cloud.blobs import Blobs
from cloud.identity import credential
from cloud.queues import Queues
from localcloud.settings import Settings
from rollout.sinks import Sink
from rollout.store import Store
from tests.analysis_cloud import AnalysisCloud, running
from tests.web_server import Handler, certified, serving


@dataclass
class Clock:
    """The time that the app is told."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **how_long: float) -> None:
        self.now += timedelta(**how_long)


@pytest.fixture(scope="package")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalysisCloud]:
    """Rows are visible at once, events are delivered at once."""
    settings = Settings(ingestion_seconds=0.0, event_delay_seconds=0.0)
    with running(tmp_path_factory.mktemp("records"), settings) as found:
        yield found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@dataclass(frozen=True)
class Office:
    """What publishing needs of the rollout wing's context; a test gives it the sinks that it is about."""

    blobs: Blobs
    queues: Queues
    store: Store
    clock: Clock
    sinks: tuple[Sink, ...] = ()


@pytest.fixture
def office(cloud: AnalysisCloud, clock: Clock) -> Office:
    return Office(cloud.blobs, cloud.queues, Store(cloud.blobs), clock)


def messages(cloud: AnalysisCloud, queue: str) -> list[dict[str, Any]]:
    """What can be taken from a queue now."""
    client = QueueClient(cloud.env["UNDERSTUDY_QUEUE_URL"], queue, credential=credential())
    return [json.loads(base64.b64decode(one.content)) for one in client.receive_messages(max_messages=32)]


def how_many(cloud: AnalysisCloud, queue: str) -> int:
    """The messages of a queue, those of later too."""
    client = QueueClient(cloud.env["UNDERSTUDY_QUEUE_URL"], queue, credential=credential())
    return client.get_queue_properties().approximate_message_count or 0


@dataclass
class Receiver:
    """A chat's webhook: what was posted to it, and how it answers."""

    url: str = ""
    bodies: list[Any] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    status: int = 200
    broken: bool = False
    """Closes the connection instead of answering."""


@contextmanager
def receiving(folder: Path) -> Iterator[Receiver]:
    """A receiver behind TLS, with a certificate of the folder's authority."""
    receiver = Receiver()

    class Posted(Handler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if receiver.broken:
                self.close_connection = True
                return
            if receiver.status < 300:
                receiver.bodies.append(json.loads(body))
            receiver.paths.append(self.path)
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with serving(Posted, certified(folder)) as receiver.url:
        yield receiver


@pytest.fixture
def receiver(cloud: AnalysisCloud) -> Iterator[Receiver]:
    with receiving(cloud.cloud.folder) as found:
        yield found
