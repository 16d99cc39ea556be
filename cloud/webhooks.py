"""Posts to incoming webhooks whose address is a secret: it is never part of an error, a log line or a trace.

By http.client on purpose: requests and urllib3 write the path to the debug log and into their exceptions, and
OpenTelemetry's instrumentation of them sends the whole address to Application Insights as a dependency.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from http.client import HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from cloud.errors import Permanent, Temporary

SECONDS = 5.0
"""For the connection, and again for the answer."""


class Webhook:
    """One address; `name` is what people may read of it."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._url = urlsplit(url)

    def __repr__(self) -> str:
        return f"Webhook({self.name!r})"

    def post(self, body: Mapping[str, Any]) -> None:
        """Post one JSON body; Temporary or Permanent when it was not accepted."""
        if self._url.scheme != "https" or not self._url.hostname:
            raise Permanent(f"posting to {self.name}: its address must begin with https://")
        target = self._url.path + (f"?{self._url.query}" if self._url.query else "")
        # A connection of its own: posts are rare, and a kept one would be closed by the other side.
        connection = HTTPSConnection(
            self._url.hostname, self._url.port, timeout=SECONDS, context=ssl.create_default_context()
        )
        try:
            connection.request("POST", target or "/", json.dumps(body).encode(), {"Content-Type": "application/json"})
            reply = connection.getresponse()
            reply.read(10_000)
        except (OSError, HTTPException, ValueError) as error:
            # Without the error's text and chain: either may hold the address.
            raise Temporary(f"posting to {self.name}: no answer ({type(error).__name__})") from None
        finally:
            connection.close()
        if not 200 <= reply.status < 300:
            text = f"posting to {self.name}: {reply.status} {reply.reason}"
            if reply.status in (408, 425, 429) or reply.status >= 500:
                raise Temporary(text)
            raise Permanent(f"{text} (check the webhook's address in the app's settings)", status=reply.status)
