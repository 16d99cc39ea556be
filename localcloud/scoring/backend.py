"""One deployment as the front sees it: kept-alive connections to its container, a limit, and Azure's status codes.

Azure's words (facts: azureml-wire, section 4): 429 above 2 x concurrency x instances in flight, 408 over the request
timeout, 424 when the model answers anything but 200. A container that is down or dies on the way is a 424 as well,
with 503 or 502 as the model's status.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from http import HTTPStatus

import aiohttp

from localcloud.scoring.call import Call, Outcome, refusal

#: Shorter than the container's own keep-alive, so that a connection is never closed under a request by the other side.
_KEEP_ALIVE_SECONDS = 60.0
_HIDDEN = frozenset({"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"})


class Backend:
    """Where the requests of one deployment go. Replaced as a whole when its container is."""

    def __init__(
        self, deployment: str, address: str | None, *, concurrency: int, instances: int, timeout: float
    ) -> None:
        self.deployment, self.address = deployment, address
        self.slots = concurrency * instances
        self._timeout = timeout
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._session: aiohttp.ClientSession | None = None

    @property
    def is_full(self) -> bool:
        """Whether one more request is refused with 429."""
        return self._in_flight >= 2 * self.slots

    async def score(self, call: Call) -> Outcome:
        """The container's answer in Azure's words; never raises for what a container can do wrong."""
        if self.is_full:
            return refusal(429, "Too many requests: the deployment's concurrency limit is reached.")
        if self.address is None:
            return _model_failure(503, "User container is not running.")
        self._in_flight += 1
        self._idle.clear()
        try:
            async with asyncio.timeout(self._timeout):
                return await self._forward(call)
        except TimeoutError:
            return refusal(408, "The model did not answer within the deployment's request timeout.")
        except aiohttp.ClientConnectorError:
            return _model_failure(503, "User container is not reachable.")
        except aiohttp.ClientError:
            return _model_failure(502, "User container closed the connection before it answered.")
        finally:
            self._in_flight -= 1
            if self._in_flight == 0:
                self._idle.set()

    async def drain(self) -> None:
        """Wait until the requests under way have their answers (each ends within its timeout), then disconnect."""
        await self._idle.wait()
        if self._session is not None:
            await self._session.close()

    async def _forward(self, call: Call) -> Outcome:
        session = self._session or self._open()
        request = session.request(call.method, f"{self.address}{call.path}", data=call.body, headers=call.headers)
        async with request as answer:
            first_byte = time.perf_counter()
            body = await answer.read()
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in _HIDDEN}
        status, reason = answer.status, answer.reason or ""
        if status == 200:
            return Outcome(200, "OK", body, headers, 200, reason, first_byte)
        headers |= _model_error(status)
        return Outcome(424, "Failed Dependency", body, headers, status, reason, first_byte)

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_SECONDS, force_close=False)
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
        return self._session


def _model_error(status: int) -> dict[str, str]:
    return {"ms-azureml-model-error-statuscode": str(status), "ms-azureml-model-error-reason": "model_error"}


def _model_failure(status: int, text: str) -> Outcome:
    answer = refusal(424, text)
    headers = {**answer.headers, **_model_error(status)}
    return replace(answer, headers=headers, model_status=status, model_reason=HTTPStatus(status).phrase)
