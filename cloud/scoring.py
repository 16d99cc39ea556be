"""Requests straight to an online endpoint, by plain HTTP.

Not by the SDK's `invoke`: it leaks the deployment header into every later call of the process and hides status and
headers. What Understudy sends itself is marked by its client request id and its user agent, so that it can be told
from clients' traffic in the logs: probes begin with `understudy` and then a digit or a letter up to f, load with
`understudyload`.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from cloud.errors import Permanent, Temporary

if TYPE_CHECKING:
    import requests

PROBE_PREFIX = "understudy"
"""Azure strips everything but letters and digits from client request ids."""
LOAD_PREFIX = "understudyload"
"""What follows a probe's prefix is hexadecimal, so no probe ever begins like this."""
PIN = "azureml-model-deployment"
NO_SCHEMA = frozenset({400, 404, 405, 424})
"""Answers of a container that has no swagger.json; the front says 424 for whatever its container does not know."""


@dataclass(frozen=True)
class Reply:
    """What one request came to. `seconds` is the client's own clock, start to last byte."""

    status: int
    body: str
    seconds: float
    deployment: str
    """The deployment that answered, as the endpoint says."""


class Scoring(AbstractContextManager["Scoring"]):
    """One endpoint's scoring address with a key for it; one connection is kept for all requests."""

    def __init__(self, uri: str, key: str) -> None:
        self._uri, self._key = uri, key
        self._session: requests.Session | None = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            self._session.close()

    def probe(self, request: Any, *, deployment: str, probe_id: str, timeout: float) -> Reply:
        """Send one JSON request to one deployment, past the traffic rules and never mirrored.

        Temporary when no answer came in `timeout` seconds, or one of another deployment: something on the way took the
        header off, and what is live must not be taken for the one that is tried.
        """
        marks = {PIN: deployment, "User-Agent": "understudy-probe"}
        reply = self._post(request, f"{PROBE_PREFIX}{probe_id}", marks, timeout, to=deployment)
        if reply.deployment.lower() not in ("", deployment.lower()):
            raise Temporary(f"scoring {deployment}: {reply.deployment} answered in its place", retry_after=5.0)
        return reply

    def load(self, request: Any, *, load_id: str, timeout: float) -> Reply:
        """Send one JSON request as a client would: the traffic rules choose, and the mirror gets its copy."""
        return self._post(request, f"{LOAD_PREFIX}{load_id}", {"User-Agent": "understudy-load"}, timeout, to="load")

    def swagger(self, uri: str, *, deployment: str, probe_id: str, timeout: float) -> Any:
        """One deployment's OpenAPI document, as loaded JSON; None when it has none that can be read."""
        headers = {
            "Authorization": f"Bearer {self._key}",
            PIN: deployment,
            "x-ms-client-request-id": f"{PROBE_PREFIX}{probe_id}",
            "User-Agent": "understudy-probe",
        }
        what = f"swagger.json of {deployment}"
        reply = self._send("GET", uri, None, headers, timeout, what)
        if reply.status_code in (401, 403):
            raise Permanent(f"{what}: {reply.status_code}", status=reply.status_code)
        if reply.status_code in NO_SCHEMA:
            return None
        if reply.status_code != 200:
            raise Temporary(f"{what}: {reply.status_code}", retry_after=5.0)
        try:
            return reply.json()
        except ValueError:
            return None

    def _post(self, request: Any, client_id: str, marks: dict[str, str], timeout: float, *, to: str) -> Reply:
        headers = {"Authorization": f"Bearer {self._key}", "x-ms-client-request-id": client_id, **marks}
        started = time.perf_counter()
        reply = self._send("POST", self._uri, request, headers, timeout, f"scoring {to}")
        return Reply(reply.status_code, reply.text, time.perf_counter() - started, reply.headers.get(PIN, ""))

    def _send(
        self, method: str, uri: str, request: Any, headers: dict[str, str], timeout: float, what: str
    ) -> requests.Response:
        import requests

        if self._session is None:
            self._session = requests.Session()
        try:
            return self._session.request(method, uri, json=request, headers=headers, timeout=timeout)
        except requests.RequestException as error:
            raise Temporary(f"{what}: no answer: {type(error).__name__}", retry_after=5.0) from error
