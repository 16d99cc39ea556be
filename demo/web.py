"""JSON over HTTP with the standard library: the demo's way to the app's doors and to ARM's REST API."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 15.0


class NotReached(Exception):
    """Nobody answered, or what answered was not understood."""


@dataclass(frozen=True)
class Reply:
    """One answer; `body` is the parsed JSON, or the text when it is none."""

    status: int
    body: Any

    @property
    def is_success(self) -> bool:
        """2xx."""
        return 200 <= self.status < 300


class Web:
    """One host, with a kept-alive connection per thread. A lost connection is opened anew once."""

    def __init__(
        self, url: str, *, tls: ssl.SSLContext | None = None, headers: Callable[[], Mapping[str, str]] = dict
    ) -> None:
        """`headers` is asked at each call, so that a token can be renewed."""
        self._address, self._tls, self._headers = urlsplit(url), tls, headers
        self._kept = threading.local()

    def call(self, method: str, path: str, body: Any = None) -> Reply:
        """One request; NotReached when even a fresh connection brings no answer."""
        try:
            return self._send(method, path, body)
        except (OSError, http.client.HTTPException):
            self._drop()
        try:
            return self._send(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            raise NotReached(f"{method} {self._address.netloc}{path.split('?')[0]}: {error!r}") from error

    def _send(self, method: str, path: str, body: Any) -> Reply:
        connection = getattr(self._kept, "connection", None) or self._connect()
        headers = {"Accept": "application/json", **self._headers()}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body), "application/json"
        connection.request(method, path, data, headers)
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
        try:
            return Reply(response.status, json.loads(text) if text else None)
        except ValueError:
            return Reply(response.status, text)

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._address.hostname or "localhost", self._address.port
        if self._tls is None:
            self._kept.connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
        else:
            self._kept.connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=self._tls)
        connection: http.client.HTTPConnection = self._kept.connection
        return connection

    def _drop(self) -> None:
        connection: http.client.HTTPConnection | None = getattr(self._kept, "connection", None)
        if connection is not None:
            connection.close()
        self._kept.connection = None
