"""Keys and levels: who may call what, by the real host's rules."""

from __future__ import annotations

import hashlib
import hmac

from aiohttp import web

from localcloud.secrets_file import Secrets

MASTER, HOST, FUNCTION, SYSTEM = "master", "host", "function", "system"
#: The system key of the Event Grid webhook.
EVENT_GRID_KEY_NAME = "eventgrid_extension"


class Access:
    """Knows every key of one host."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def function_key(self, name: str) -> str:
        """The function's own `default` key: derived, so that it stays the same as long as the host key does."""
        return hmac.new(self._secrets.functions_host_key.encode(), name.lower().encode(), hashlib.sha256).hexdigest()

    def may_call(self, request: web.Request, function: str, level: str) -> bool:
        """Whether the request may reach a function of this `authLevel`; a system key never opens one."""
        if level == "anonymous":
            return True
        kind = self._kind(request, function)
        return kind == MASTER or (level == "function" and kind in (HOST, FUNCTION))

    def is_admin(self, request: web.Request) -> bool:
        """Whether the request carries the master key."""
        return self._kind(request, None) == MASTER

    def webhook_refusal(self, request: web.Request) -> int | None:
        """401 without a known key, 403 with one of the wrong kind, None when the webhook is open to the request."""
        kind = self._kind(request, None)
        if kind is None:
            return 401
        return None if kind in (MASTER, SYSTEM) else 403

    def _kind(self, request: web.Request, function: str | None) -> str | None:
        given = request.headers.get("x-functions-key") or request.query.get("code") or ""
        known = {
            MASTER: self._secrets.functions_master_key,
            HOST: self._secrets.functions_host_key,
            SYSTEM: self._secrets.eventgrid_key,
        }
        if function is not None:
            known[FUNCTION] = self.function_key(function)
        for kind, key in known.items():
            if given and hmac.compare_digest(given.encode(), key.encode()):
                return kind
        return None
