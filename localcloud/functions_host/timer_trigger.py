"""Timer functions: one run at a time, one catch-up run after a gap, the status kept in a blob as the real host does."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime
from typing import Any

from localcloud.functions_host import trigger_data
from localcloud.functions_host.connection import Storage
from localcloud.functions_host.functions import Function
from localcloud.functions_host.invocation import InvocationFailed, Invoker
from localcloud.functions_host.listener_lock import ListenerLock
from localcloud.functions_host.ncrontab import Schedule

_LOG = logging.getLogger("host")
CONTAINER = "azure-webjobs-hosts"
_HOST_ID = "local"
#: The longest single sleep, so that a suspended machine or a moved clock is noticed.
_LONGEST_SLEEP_SECONDS = 30.0
_STORAGE_PAUSE_SECONDS = 0.5


class TimerTrigger:
    """The listener of one timer function."""

    def __init__(self, function: Function, invoker: Invoker, storage: Storage, lock: ListenerLock) -> None:
        self._function, self._invoker, self._storage, self._lock = function, invoker, storage, lock
        self._schedule = Schedule.parse(function.settings["schedule"])
        monitored = function.settings.get("useMonitor", True) is not False
        self._monitored = monitored and not self._schedule.fires_more_than_once_a_minute()
        self._blob = f"timers/{_HOST_ID}/{function.name}/status"
        self._status: dict[str, Any] | None = None

    async def listen(self) -> None:
        """Fire until cancelled."""
        await self._lock.acquire()
        self._status = await self._load_status()
        now = _now()
        if self._status is not None and self._missed(self._status, now):
            await self._fire(now, past_due=True)
        elif self._function.settings.get("runOnStartup"):
            await self._fire(now)
        elif self._monitored:
            await self._save_status(_status(None, self._schedule.after(now), now))
        while (due := self._schedule.after(_now())) is not None:
            await _sleep_until(due)
            await self._fire(due)
            while (missed := self._schedule.after(due)) is not None and missed <= _now():
                # The run took longer than the period: one immediate run, however many were missed.
                due = _now()
                await self._fire(due)

    async def _fire(self, due: datetime, *, past_due: bool = False) -> None:
        """Run; a failed run is not repeated without a retry policy, and the status advances all the same."""
        failures, retry = 0, self._function.retry
        while not await self._run(failures, past_due=past_due) and retry is not None:
            failures += 1
            if not retry.allows(failures):
                break
            await asyncio.sleep(retry.pause(failures))
        if self._monitored:
            await self._save_status(_status(due, self._schedule.after(_now()), _now()))

    async def _run(self, failures: int, *, past_due: bool) -> bool:
        text = json.dumps({"Schedule": {"AdjustForDST": True}, "ScheduleStatus": self._status, "IsPastDue": past_due})
        retry = self._function.retry
        try:
            data = trigger_data.decode(self._function, text, kind="json")
            reason = "past due timer" if past_due else "timer"
            context = retry.context(failures) if retry else None
            await self._invoker.run(self._function, data, reason=reason, retry=context)
        except InvocationFailed:
            return False  # logged by the invoker
        return True

    def _missed(self, status: dict[str, Any], now: datetime) -> bool:
        """A changed schedule is not past due: its next run is then not where the status expected it."""
        try:
            last, following = (datetime.fromisoformat(status[key]) for key in ("Last", "Next"))
        except (KeyError, TypeError, ValueError):
            return False
        return following < now and self._schedule.after(last) == following

    async def _load_status(self) -> dict[str, Any] | None:
        """What the last host left; without storage there is no knowing what was missed, so it is waited for."""
        if not self._monitored:
            return None
        while True:
            try:
                data = await self._storage.read_blob(CONTAINER, self._blob)
                break
            except Exception as error:
                _LOG.warning("timer %s: its status cannot be read, trying again: %s", self._function.name, error)
                await asyncio.sleep(_STORAGE_PAUSE_SECONDS)
        try:
            loaded = json.loads(data) if data else None
        except ValueError:
            return None
        return loaded if isinstance(loaded, dict) else None

    async def _save_status(self, status: dict[str, Any]) -> None:
        self._status = status
        try:
            await self._storage.write_blob(CONTAINER, self._blob, json.dumps(status).encode())
        except Exception as error:
            _LOG.warning("timer %s: its status cannot be kept: %s", self._function.name, error)


def _status(last: datetime | None, following: datetime | None, now: datetime) -> dict[str, Any]:
    return {
        "Last": (last or now).isoformat(),
        "Next": following.isoformat() if following else None,
        "LastUpdated": now.isoformat(),
    }


def _now() -> datetime:
    return datetime.now(UTC)


async def _sleep_until(due: datetime) -> None:
    left = (due - _now()).total_seconds()
    while left > 0:
        await asyncio.sleep(min(left, _LONGEST_SLEEP_SECONDS))
        left = (due - _now()).total_seconds()
