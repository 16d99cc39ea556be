"""Asking a service of the user's for leave: one POST, one answer, nothing of it trusted.

By http.client, as chats are posted to (cloud/webhooks.py): no redirect is followed, and no instrumentation repeats the
address. Whatever is not a 2xx within the time is no leave, and is told in words.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPSConnection
from queue import Empty, SimpleQueue
from socket import SHUT_RDWR, socket
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from cloud.identity import Identity

LONGEST_ANSWER = 10_000
"""Bytes that are read."""
TOLD = 200
"""Characters of it that are told."""


@dataclass(frozen=True)
class Said:
    """Whether leave was given, and the answer in words."""

    leave: bool
    text: str


class Hooks:
    """Asks as the app's identity."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def ask(self, url: str, body: Mapping[str, Any], *, audience: str | None, seconds: float) -> Said:
        """One question, answered within `seconds` or not at all. Raises nothing."""
        asked = _Question(self._identity, url, json.dumps(body).encode(), audience, seconds)
        # A thread of its own, for no time-out of a socket bounds the look-up of a name or an answer that drips.
        Thread(target=asked.run, name="hook", daemon=True).start()
        try:
            return asked.answers.get(timeout=seconds)
        except Empty:
            asked.end()
            return Said(False, f"no answer within {seconds:g} s")


class _Question:
    """One request under way, which whoever waits for it can end."""

    def __init__(self, identity: Identity, url: str, body: bytes, audience: str | None, seconds: float) -> None:
        self.answers = SimpleQueue[Said]()
        self._identity, self._url, self._body, self._audience = identity, urlsplit(url), body, audience
        self._connection = HTTPSConnection(
            self._url.hostname or "", self._url.port, timeout=seconds, context=ssl.create_default_context()
        )
        self._socket: socket | None = None
        self._ended = False

    def run(self) -> None:
        """Ask, and put the answer, whatever it is."""
        try:
            self.answers.put(self._asked())
        except Exception as error:  # no leave, whatever it is: the look must hear of it
            self.answers.put(Said(False, _plain(f"no answer: {error or type(error).__name__}")))
        finally:
            self._connection.close()

    def end(self) -> None:
        """Let the thread end: an answer that drips would keep it for hours."""
        self._ended = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(SHUT_RDWR)

    def _asked(self) -> Said:
        if self._url.scheme != "https":
            return Said(False, "its address must begin with https://")
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/plain"}
        if self._audience is not None:
            headers["Authorization"] = f"Bearer {self._identity.get_token(f'{self._audience}/.default').token}"
        self._connection.connect()
        self._socket = self._connection.sock  # the connection forgets it once an answer has begun
        if self._ended:
            return Said(False, "too late")
        target = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        self._connection.request("POST", target, self._body, headers)
        reply = self._connection.getresponse()
        if 300 <= reply.status < 400:
            return Said(False, f"{reply.status}: redirects are not followed")
        text = reply.read(LONGEST_ANSWER).decode(errors="replace")
        return Said(200 <= reply.status < 300, f"{reply.status} {_plain(text or reply.reason)}".rstrip())


def _plain(text: str) -> str:
    """The beginning of somebody's text in one line, without what a terminal or a page would obey."""
    return " ".join("".join(c if c.isprintable() else " " for c in text[: TOLD * 4]).split())[:TOLD]
