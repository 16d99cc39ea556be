"""What the local cloud's scoring front costs: latency added to a call of the container itself, and requests a second.

Real front, real containers, real tables; a trivial model that logs one line per request, half of the traffic mirrored.
The budget (issue 3): under 3 ms added at the median, at least 500 requests a second on two cores. Run it with
`python -m bench.scoring_front`; it exits with 1 when a budget is missed.
"""

from __future__ import annotations

import asyncio
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import aiohttp

from localcloud.certificates import authority
from localcloud.monitor.store import TableStore
from localcloud.scoring import OnlineServing, ScoringOptions
from localcloud.seams import Cloud, EndpointRoutes, ServingSpec
from localcloud.settings import Settings

SCRIPT = "import logging\ndef init(): pass\ndef run(raw_data):\n    logging.info(raw_data)\n    return 1\n"
BODY = b'{"data": [{"LIMIT_BAL": 20000, "SEX": "female", "AGE": 24, "PAY_0": 2, "BILL_AMT1": 3913}]}'
MOST_ADDED_MS = 3.0
LEAST_RATE = 500.0
_ONE_BY_ONE = 600
_AT_ONCE, _TOGETHER = 16, 4000
_KEY = "key"

Send = Callable[[], Awaitable[None]]


async def main() -> int:
    """Print the table; 1 when a budget is missed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cloud = Cloud(Settings(), "https://localhost", folder, authority(folder))
        cloud.tables = tables = TableStore(timedelta(0), "subscription", "tenant")
        serving = OnlineServing(cloud, ScoringOptions())
        await serving.start()
        try:
            await _deploy(serving, folder)
            return await _measure(serving, cloud.ca_file)
        finally:
            await serving.stop()
            tables.close()


async def _measure(serving: OnlineServing, ca_file: Path) -> int:
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(ca_file)), limit=0)
    async with aiohttp.ClientSession(connector=connector) as client:
        through = _sender(client, serving.scoring_uri("ep"))
        direct = _sender(client, f"{serving.container_address('ep', 'live')}/score")
        await _route(serving, mirror=0)
        alternating = await _one_by_one((direct, through))
        await _route(serving, mirror=50)
        rate, together = await _at_once(through)
    dropped = sum(one["dropped"] for one in await serving.mirrored())
    (direct_p50, direct_p95), (through_p50, through_p95) = map(_percentiles, alternating)
    p50, p95 = _percentiles(together)
    print(f"{'':44}{'median':>10}{'p95':>10}{'per s':>10}")
    print(f"{'container called directly, one by one':44}{direct_p50:>7.2f} ms{direct_p95:>7.2f} ms")
    print(f"{'through the front, one by one':44}{through_p50:>7.2f} ms{through_p95:>7.2f} ms")
    print(f"{'added by the front (TLS, routing, logging)':44}{through_p50 - direct_p50:>7.2f} ms", end="")
    print(f"{through_p95 - direct_p95:>7.2f} ms")
    print(f"{f'{_AT_ONCE} at once, half of them mirrored':44}{p50:>7.2f} ms{p95:>7.2f} ms{rate:>10.0f}")
    print(f"copies dropped because the shadow was too slow: {dropped}")
    return 0 if through_p50 - direct_p50 < MOST_ADDED_MS and rate >= LEAST_RATE else 1


async def _deploy(serving: OnlineServing, folder: Path) -> None:
    code = folder / "code"
    code.mkdir()
    (code / "score.py").write_text(SCRIPT)
    for deployment in ("live", "shadow"):
        spec = ServingSpec("/ep", "ep", deployment, code, "m", "1", code, "score.py", instance_count=16)
        await serving.start_deployment(spec)


async def _route(serving: OnlineServing, mirror: int) -> None:
    shadow = {"shadow": mirror} if mirror else {}
    await serving.set_routes(EndpointRoutes("/ep", "ep", "ws", "ws-id", "Key", (_KEY,), {"live": 100}, shadow))


def _sender(client: aiohttp.ClientSession, url: str) -> Send:
    headers = {"Authorization": f"Bearer {_KEY}", "Content-Type": "application/json"}

    async def send() -> None:
        async with client.post(url, data=BODY, headers=headers) as answer:
            await answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{url} answered {answer.status}")

    return send


async def _one_by_one(senders: tuple[Send, ...]) -> list[list[float]]:
    """Seconds per call of each, taken in turns so that a busy machine disturbs all alike."""
    seconds: list[list[float]] = [[] for _ in senders]
    for _ in range(_ONE_BY_ONE):
        for measured, send in zip(seconds, senders, strict=True):
            measured.append(await _timed(send))
    return seconds


async def _at_once(send: Send) -> tuple[float, list[float]]:
    seconds: list[float] = []

    async def client() -> None:
        while len(seconds) < _TOGETHER:
            seconds.append(await _timed(send))

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(_AT_ONCE)))
    return len(seconds) / (time.perf_counter() - began), seconds


async def _timed(send: Send) -> float:
    began = time.perf_counter()
    await send()
    return time.perf_counter() - began


def _percentiles(seconds: list[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(seconds, n=20)
    return cuts[9] * 1000, cuts[18] * 1000


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
