"""`localcloud.seams.Serving` for real: the cloud process's hold on the front and on all deployments."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from localcloud.scoring import traffic_log
from localcloud.scoring.answer_counts import AnswerCounts
from localcloud.scoring.deployment import Deployment, Surroundings
from localcloud.scoring.front_process import FrontProcess
from localcloud.scoring.options import ScoringOptions
from localcloud.scoring.starter import ForkStarter, SpawnStarter
from localcloud.seams import Cloud, EndpointRoutes, Json, ServingSpec


class OnlineServing:
    """The data plane of one local cloud. Changes of one deployment happen one after another."""

    def __init__(self, cloud: Cloud, options: ScoringOptions) -> None:
        self._cloud, self._options = cloud, options
        self._deployments: dict[tuple[str, str], Deployment] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}
        self.answers = AnswerCounts()
        self._starter = ForkStarter() if options.start_method == "fork" else SpawnStarter()

    async def start(self) -> None:
        """Open the scoring port; containers come with `start_deployment`."""
        from localcloud.certificates import issue

        certificate, key = issue(self._cloud.ca_file.parent, "localhost", "127.0.0.1")
        folder = self._cloud.folder / "containers"
        folder.mkdir(parents=True, exist_ok=True)
        self._front = FrontProcess(certificate, key, self._options, self._take_rows, self._cloud.faults)
        self._around = Surroundings(
            front=self._front,
            starter=self._starter,
            options=self._options,
            folder=folder,
            append=self._append,
            upload=lambda container, name, data: self._cloud.blobs.upload(container, name, data),
            faults=self._cloud.faults,
            # Kubernetes starts at 10 seconds, a sixth of a minute.
            back_off_seconds=self._cloud.settings.minute_seconds / 6,
        )
        if isinstance(self._starter, ForkStarter):
            await self._starter.warm_up()
        await self._front.start()
        self._cloud.faults.on_change(self._heed_faults)

    async def stop(self) -> None:
        """End everything at once."""
        await self._front.stop()
        await asyncio.gather(*(deployment.kill() for deployment in self._deployments.values()))
        await self._starter.close()

    async def start_deployment(self, spec: ServingSpec) -> None:
        """Bring up (or replace in place) a deployment's container and wait until it is ready; ServingFailed if not."""
        key = (spec.endpoint, spec.deployment)
        async with self._lock(key):
            # Kept even when it fails to start: getLogs is how its owner finds out why.
            deployment = self._deployments.setdefault(key, Deployment(spec, self._around))
            await deployment.start(spec)

    async def stop_deployment(self, endpoint: str, deployment: str) -> None:
        """Take a deployment away; requests under way get their answers first. One that is not there is fine."""
        key = (endpoint, deployment)
        async with self._lock(key):
            if (found := self._deployments.pop(key, None)) is not None:
                await found.stop()

    async def set_routes(self, routes: EndpointRoutes) -> None:
        """From when this returns, every new request follows these routes. Requests under way finish undisturbed."""
        value = {**asdict(routes), "region": self._cloud.settings.region}
        await self._front.set_routes(routes.endpoint, value)

    async def remove_endpoint(self, endpoint: str) -> None:
        """No more requests for this endpoint, then no more containers."""
        await self._front.forget_routes(endpoint)
        names = [deployment for owner, deployment in self._deployments if owner == endpoint]
        await asyncio.gather(*(self.stop_deployment(endpoint, name) for name in names))

    async def container_log(self, endpoint: str, deployment: str, tail: int) -> str:
        """The last lines of a deployment's console; empty when there is no such deployment."""
        found = self._deployments.get((endpoint, deployment))
        return found.console(tail) if found else ""

    def scoring_uri(self, endpoint: str) -> str:
        """Azure has a host per endpoint; here it is a path, because names under .localhost may not resolve."""
        return f"https://localhost:{self._front.port}/{endpoint}/score"

    def container_address(self, endpoint: str, deployment: str) -> str:
        """Where the container itself listens (`http://127.0.0.1:PORT`), for measurements; empty while it is down."""
        found = self._deployments.get((endpoint, deployment))
        return found.address if found else ""

    @property
    def front_pid(self) -> int | None:
        """The process that takes the clients' requests at the moment."""
        return self._front.pid

    async def mirrored(self) -> list[Json]:
        """Per shadow deployment: copies sent, and copies dropped because the shadow was too slow."""
        return await self._front.mirrored()

    async def _heed_faults(self) -> None:
        await self._front.set_faults(armed=self._cloud.faults.waiting("http"))
        for deployment in self._deployments.values():
            deployment.crash_if_ordered()

    def _lock(self, key: tuple[str, str]) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())

    def _take_rows(self, rows: list[list[Any]]) -> None:
        records = [traffic_log.to_record(row) for row in rows]
        self.answers.add(records)
        self._append(traffic_log.TABLE, records)

    def _append(self, table: str, rows: Sequence[Json]) -> None:
        self._cloud.tables.append(table, rows)
