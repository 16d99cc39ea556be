"""Action groups: post an alert to each webhook, with Azure's own rules for trying again.

Tried again only after 408, 429, 503, 504 and network errors, after 5, 20, 5, 40 and 5 seconds (scaled by
`minute_seconds`); when all is in vain no action group calls that endpoint for 15 minutes (scaled). Any other status,
500 among them, loses the alert: that is Azure's rule, not ours.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp

from localcloud.seams import AzureError, Json

_log = logging.getLogger("localcloud.monitor")

_AGAIN_AFTER = (5.0, 20.0, 5.0, 40.0, 5.0)
_SILENCE = 15 * 60.0
_AGAIN_STATUSES = frozenset({408, 429, 503, 504})
_ANSWER_WITHIN = aiohttp.ClientTimeout(total=10)
_MOST_GROUPS = 5


def webhooks(body: Json) -> list[str]:
    """The addresses that an action group calls; AzureError when it asks for what cannot be done here."""
    properties = body.get("properties") or {}
    if not properties.get("enabled", True):
        return []
    found: list[str] = []
    for kind, key in (("webhookReceivers", "serviceUri"), ("azureFunctionReceivers", "httpTriggerUrl")):
        for receiver in properties.get(kind) or ():
            if not receiver.get(key):
                raise AzureError(400, "BadRequest", f"{kind}: {key} is needed")
            if not receiver.get("useCommonAlertSchema", False):
                message = f"{kind}: only useCommonAlertSchema=true is sent by the local Azure"
                raise AzureError(501, "LocalStandInUnsupported", message)
            found.append(str(receiver[key]))
    return found


class Notifier:
    """Calls webhooks in the background; one per cloud."""

    def __init__(self, minute_seconds: float, ca_file: Path) -> None:
        self._scale = minute_seconds / 60
        self._ca_file = ca_file
        self._groups: dict[str, list[str]] = {}
        self._silent_until: dict[str, float] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    def set_group(self, group_id: str, addresses: list[str]) -> None:
        """Make or replace an action group, named by its lower-case ARM id."""
        self._groups[group_id] = addresses

    def remove_group(self, group_id: str) -> None:
        """Forget an action group; rules that name it then notify nobody."""
        self._groups.pop(group_id, None)

    def notify(self, group_ids: Sequence[str], body: Json) -> None:
        """Post a body to every webhook of the groups, all at once and without waiting for them."""
        for group_id in group_ids[:_MOST_GROUPS]:
            for address in self._groups.get(group_id, ()):
                call = asyncio.create_task(self._deliver(address, body))
                self._calls.add(call)
                call.add_done_callback(self._calls.discard)

    async def close(self) -> None:
        """Give up what is under way."""
        for call in tuple(self._calls):
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _deliver(self, address: str, body: Json) -> None:
        if time.monotonic() < self._silent_until.get(address, 0.0):
            return
        for pause in (*_AGAIN_AFTER, None):
            outcome = await self._post(address, body)
            if isinstance(outcome, int) and outcome not in _AGAIN_STATUSES:
                if outcome >= 400:
                    _log.warning("alert webhook %s answered %s: not tried again", _shown(address), outcome)
                return
            _log.warning("alert webhook %s: %s", _shown(address), outcome)
            if pause is not None:
                await asyncio.sleep(pause * self._scale)
        self._silent_until[address] = time.monotonic() + _SILENCE * self._scale

    async def _post(self, address: str, body: Json) -> int | str:
        """The status of the answer, or the network's error."""
        try:
            session = self._open()
            async with session.post(address, json=body, timeout=_ANSWER_WITHIN) as reply:
                await reply.read()
                return reply.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return f"{type(error).__name__}: {error}"

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            trusted = ssl.create_default_context(cafile=str(self._ca_file) if self._ca_file.exists() else None)
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted))
        return self._session


def _shown(address: str) -> str:
    """An address without its key."""
    return address.partition("?")[0]
