"""A data plane to test: the real front and real containers, with the workspace's real tables behind them.

It runs on an event loop in its own thread, so that tests are plain functions that call it and poll with a deadline.
"""

from __future__ import annotations

import asyncio
import pickle
import ssl
import textwrap
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from localcloud.certificates import authority
from localcloud.monitor.store import TableStore
from localcloud.scoring import OnlineServing, ScoringOptions
from localcloud.seams import Cloud, EndpointRoutes, Json, ServingSpec
from localcloud.settings import Settings

T = TypeVar("T")
KEYS = ("primary-key", "secondary-key")
ECHO = """
import json, logging, os
def init():
    logging.info("ready")
def run(raw_data):
    logging.info("got %s", raw_data)
    return {"deployment": os.environ.get("NAME"), "got": json.loads(raw_data)}
"""


@dataclass(frozen=True)
class Reply:
    """What a client got."""

    status: int
    headers: dict[str, str]
    text: str
    seconds: float


class RecordedTables(TableStore):
    """The real tables, which refuse unknown columns, with what was appended kept for the tests to look at."""

    def __init__(self) -> None:
        super().__init__(timedelta(0), "subscription", "tenant")
        self.appended: list[tuple[str, Json]] = []

    def append(self, table: str, rows: Sequence[Json]) -> None:
        super().append(table, rows)
        self.appended += [(table, row) for row in rows]


class Stand:
    """One data plane and a client of it."""

    def __init__(self, folder: Path, options: ScoringOptions) -> None:
        self.folder = folder
        self.tables = RecordedTables()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        cloud = Cloud(Settings(minute_seconds=0.6), "https://localhost", folder, authority(folder))
        cloud.tables, self.ca_file = self.tables, cloud.ca_file
        self.serving = OnlineServing(cloud, options)
        self.run(self._start(cloud.ca_file))

    def run(self, coroutine: Coroutine[Any, Any, T], *, timeout: float = 60) -> T:
        """The result of a coroutine on the stand's own loop."""
        return self.begin(coroutine).result(timeout)

    def begin(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """The same, without waiting for the result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def script(self, text: str) -> Path:
        """A code folder with this score.py."""
        folder = self.folder / f"code-{time.monotonic_ns()}"
        folder.mkdir()
        (folder / "score.py").write_text(textwrap.dedent(text))
        return folder

    def model(self, estimator: Any, name: str = "model.pkl") -> Path:
        """A model folder that holds this object, pickled."""
        folder = self.folder / f"model-{time.monotonic_ns()}"
        file = folder / name
        file.parent.mkdir(parents=True)
        file.write_bytes(pickle.dumps(estimator))
        return folder

    def deploy(self, endpoint: str, deployment: str, script: str | None = ECHO, **more: Any) -> None:
        """Bring up a deployment of a scoring script, or of a model without one, which calls itself by its name."""
        code = {"code_path": self.script(script), "scoring_script": "score.py"} if script else {}
        (self.folder / "empty").mkdir(exist_ok=True)
        values: dict[str, Any] = {
            "resource_id": f"/subscriptions/s/onlineendpoints/{endpoint}",
            "model_path": self.folder / "empty",
            "model_name": "m",
            "model_version": "1",
            "code_path": None,
            "scoring_script": None,
            "environment_variables": {"NAME": deployment},
            "max_concurrent_requests_per_instance": 4,
            **code,
            **more,
        }
        self.run(self.serving.start_deployment(ServingSpec(endpoint=endpoint, deployment=deployment, **values)))

    def route(self, endpoint: str, traffic: dict[str, int], mirror: dict[str, int] | None = None, **more: Any) -> None:
        """Set the endpoint's split."""
        values: dict[str, Any] = {"auth_mode": "Key", "keys": KEYS, **more}
        resource_id = f"/subscriptions/s/onlineendpoints/{endpoint}"
        routes = EndpointRoutes(resource_id, endpoint, "ws", "ws-id", traffic=traffic, mirror=mirror or {}, **values)
        self.run(self.serving.set_routes(routes))

    def post(self, endpoint: str, body: str = "{}", **headers: str) -> Reply:
        """One scoring request; header names with _ for -."""
        return self.run(self.send(endpoint, body, **headers))

    async def send(self, endpoint: str, body: str = "{}", **headers: str) -> Reply:
        """The same, for use on the stand's loop."""
        sent = {"Authorization": f"Bearer {KEYS[0]}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        began = time.perf_counter()
        async with self._client.post(self.serving.scoring_uri(endpoint), data=body, headers=sent) as answer:
            text = await answer.text()
            replied = {name.lower(): value for name, value in answer.headers.items()}
            return Reply(answer.status, replied, text, time.perf_counter() - began)

    def swagger(self, endpoint: str, deployment: str, query: str = "") -> Reply:
        """One deployment's OpenAPI document."""
        uri = self.serving.scoring_uri(endpoint).removesuffix("/score") + f"/swagger.json{query}"
        headers = {"Authorization": f"Bearer {KEYS[0]}", "azureml-model-deployment": deployment}

        async def get() -> Reply:
            async with self._client.get(uri, headers=headers) as answer:
                return Reply(answer.status, dict(answer.headers), await answer.text(), 0.0)

        return self.run(get())

    def rows(self, table: str, **wanted: Any) -> list[Json]:
        """Rows of AmlOnlineEndpoint<table> with these values, so far."""
        full = f"AmlOnlineEndpoint{table}"
        rows = [row for name, row in list(self.tables.appended) if name == full]
        return [row for row in rows if all(row[name] == value for name, value in wanted.items())]

    def stop(self) -> None:
        """End the data plane and its thread."""
        self.run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.tables.close()

    async def _start(self, ca_file: Path) -> None:
        await self.serving.start()
        tls = ssl.create_default_context(cafile=str(ca_file))
        self._client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls, limit=0))

    async def _stop(self) -> None:
        await self._client.close()
        await self.serving.stop()


@contextmanager
def scoring_stand(folder: Path, **options: Any) -> Iterator[Stand]:
    """A running stand, ended afterwards whatever happens."""
    stand = Stand(folder, ScoringOptions(**options))
    try:
        yield stand
    finally:
        stand.stop()


def eventually(read: Callable[[], T], *, seconds: float = 15) -> T:
    """The first true value of `read`; AssertionError when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := read()):
        assert time.monotonic() < deadline, f"not within {seconds} s; the last value was {value!r}"
        time.sleep(0.01)
    return value
