"""A container's console on its way to the cloud: each line a row of AmlOnlineEndpointConsoleLog, the last ones kept.

The table has no level and no request id (facts: logs, section 2): what a reader needs must be in the line itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator

from localcloud.scoring.options import ScoringOptions
from localcloud.seams import Json, ServingSpec, utc_now

TABLE = "AmlOnlineEndpointConsoleLog"
CONTAINER_NAME = "inference-server"
IMAGE_NAME = "localcloud/inference-server:latest"
_FLUSH_SECONDS = 0.15


class ConsoleLog:
    """The console of one deployment, over all its containers."""

    def __init__(self, spec: ServingSpec, options: ScoringOptions, append: Callable[[str, list[Json]], None]) -> None:
        self._spec, self._options, self._append = spec, options, append
        self._rows: list[Json] = []
        self._lines: deque[str] = deque(maxlen=options.console_lines_kept)

    def take(self, instance_id: str, line: bytes) -> None:
        """One line, without its end."""
        self._lines.append(line.decode(errors="replace"))
        if not self._rows:
            asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self.flush)
        for message in self._messages(line):
            self._rows.append(
                {
                    "TimeGenerated": utc_now(),
                    "_ResourceId": self._spec.resource_id,
                    "DeploymentName": self._spec.deployment,
                    "InstanceId": instance_id,
                    "ContainerName": CONTAINER_NAME,
                    "ContainerImageName": IMAGE_NAME,
                    "Message": message,
                }
            )

    def flush(self) -> None:
        """Hand over what has gathered."""
        if self._rows:
            rows, self._rows = self._rows, []
            self._append(TABLE, rows)

    def tail(self, lines: int) -> str:
        """The last lines, as getLogs shows them."""
        return "".join(f"{line}\n" for line in list(self._lines)[-lines:]) if lines > 0 else ""

    def _messages(self, line: bytes) -> Iterator[str]:
        split = self._options.console_split_bytes or len(line) or 1
        cut = self._options.console_cut_bytes or len(line)
        for start in range(0, len(line) or 1, split):
            yield line[start : start + split][:cut].decode(errors="replace")


class ConsolePipe(asyncio.Protocol):
    """The reading end of one container's console."""

    def __init__(self, log: ConsoleLog, instance_id: str) -> None:
        self._log, self._instance_id = log, instance_id
        self._rest = bytearray()
        self.ended = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        """Cut what arrived into lines."""
        self._rest += data
        if b"\n" in data:
            *lines, rest = bytes(self._rest).split(b"\n")
            self._rest = bytearray(rest)
            for line in lines:
                self._log.take(self._instance_id, line)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        """The last line counts even without an end."""
        if self._rest:
            self._log.take(self._instance_id, bytes(self._rest))
        if not self.ended.done():
            self.ended.set_result(None)
