"""How many instances each deployment had, grain by grain, for the DeploymentCapacity metric and the cost.

Sampled once per grain from `cloud.inspect_deployments`, because the number of instances leaves no trace in any row.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from localcloud.seams import Cloud, utc_now

_KEPT = 100_000


@dataclass(frozen=True)
class Sample:
    """One deployment at one moment."""

    epoch: float
    resource_id: str
    """The deployment's ARM id, lower case."""
    instances: int
    state: str
    instance_type: str = ""


class CapacitySamples:
    """The samples so far; the oldest are forgotten."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._samples: deque[Sample] = deque(maxlen=_KEPT)

    def between(self, resource_id: str, start: float, end: float) -> list[Sample]:
        """A deployment's samples in [start, end), as epoch seconds."""
        return [
            sample
            for sample in list(self._samples)
            if sample.resource_id == resource_id and start <= sample.epoch < end
        ]

    def all(self) -> list[Sample]:
        """Every sample that is still known, oldest first."""
        return list(self._samples)

    def take(self) -> None:
        """Sample every deployment now."""
        now = utc_now().timestamp()
        for found in self._cloud.inspect_deployments():
            resource_id = f"{found['resource_id']}/deployments/{found['deployment']}".lower()
            size = str(found.get("instance_type", ""))
            self._samples.append(Sample(now, resource_id, int(found["instances"]), str(found["state"]), size))

    async def run(self) -> None:
        """Sample once per grain, for ever."""
        while True:
            self.take()
            await asyncio.sleep(self._cloud.settings.minute_seconds)
