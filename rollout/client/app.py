"""One request to a running app, and its answer; whatever goes wrong says what to do next.

The key goes nowhere else: it is sent over TLS only (or within this machine), no redirect is followed, and no message
holds it.
"""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from ipaddress import ip_address
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit

SECONDS = 30.0
LONGEST = 64_000_000
"""Bytes of an answer."""


class NotAsked(Exception):
    """The app could not be asked, or what answered is not the app."""


class NoAnswer(NotAsked):
    """It did not answer this time; what was sent may have arrived."""


@dataclass(frozen=True)
class Reply:
    """A status and the JSON that came with it."""

    status: int
    body: Any

    @property
    def error(self) -> str:
        """What the app says is wrong."""
        told = self.body if isinstance(self.body, dict) else {}
        where = f"{told['field']}: " if told.get("field") else ""
        return where + str(told.get("error") or f"answered {self.status}")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An answer that points elsewhere is an answer: the key is not taken there."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


@dataclass(frozen=True)
class App:
    """A running app: its address, and a key of its functions."""

    url: str
    key: str = field(default="", repr=False)

    def call(self, method: str, path: tuple[str, ...], body: Mapping[str, Any] | None = None) -> Reply:
        """Ask a door; NotAsked when that was not possible, NoAnswer when it may be tried again."""
        address = "/".join([self.url, "api", *(quote(part, safe="") for part in path)])
        self._within_tls()
        headers = {"Accept": "application/json"} | ({"x-functions-key": self.key} if self.key else {})
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(address, data, headers, method=method)  # noqa: S310 (https or loopback)
        try:
            with urllib.request.build_opener(_NoRedirect).open(request, timeout=SECONDS) as reply:
                return self._read(reply.status, reply.read(LONGEST), "")
        except HTTPError as refused:
            with refused:
                return self._read(refused.code, refused.read(LONGEST), refused.headers.get("Location") or "")
        except (URLError, OSError, HTTPException) as error:
            raise NoAnswer(f"{self.url} does not answer: {_words(error)}. Is that its address, and is it up?") from None

    def _read(self, status: int, raw: bytes, elsewhere: str) -> Reply:
        if status in (401, 403):
            which = "this key is refused" if self.key else "no key was given"
            raise NotAsked(
                f"{self.url} answers {status}: {which}. Put a function key of the app into FUNCTIONS_KEY or --key-file:"
                "\n  az functionapp keys list -g GROUP -n APP --query functionKeys.default -o tsv"
            )
        if 300 <= status < 400:
            raise NotAsked(
                f"{self.url} points to {elsewhere or 'another address'}: if that is the app, give its address"
            )
        try:
            return Reply(status, json.loads(raw))
        except ValueError:
            if status >= 500:
                raise NoAnswer(f"{self.url} answers {status}: try again; the app's log says more") from None
            raise NotAsked(
                f"what answers at {self.url} is not Understudy ({status}, no JSON): give the address of the app, "
                "such as https://APP.azurewebsites.net"
            ) from None

    def _within_tls(self) -> None:
        """Refuse to send a key in clear text over a network."""
        parts = urlsplit(self.url)
        if parts.scheme == "https" or not self.key:
            return
        try:
            found = socket.getaddrinfo(parts.hostname, parts.port or 80)
        except OSError as error:
            raise NoAnswer(f"{self.url} does not answer: {_words(error)}. Is that its address?") from None
        if not all(ip_address(one[4][0]).is_loopback for one in found):
            raise NotAsked(f"{self.url} would get the key in clear text: give its https:// address")


def _words(error: Exception) -> str:
    cause = getattr(error, "reason", error)
    return str(getattr(cause, "strerror", None) or cause or type(error).__name__)
