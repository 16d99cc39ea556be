"""`@app.retry`: a failed run is repeated by the host itself. Azure has this for timers; queues have dequeue counts.

The count is kept in memory, so a host that ends forgets it, as on Azure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from localcloud.functions_host.options import time_span

_FIXED, _EXPONENTIAL = "fixed_delay", "exponential_backoff"
_FOREVER = -1


@dataclass(frozen=True)
class RetryPolicy:
    """When to run a failed function again."""

    most: int
    """-1: without end."""
    first_seconds: float
    longest_seconds: float

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> RetryPolicy:
        """From the decorator's settings; ValueError for what Azure's worker fails the whole app for."""
        strategy = given.get("strategy")
        try:
            most = int(given["max_retry_count"])
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"retry: max_retry_count {given.get('max_retry_count')!r} is not a number") from None
        if strategy == _FIXED:
            delay = _seconds(given, "delay_interval")
            return cls(most, delay, delay)
        if strategy == _EXPONENTIAL:
            return cls(most, _seconds(given, "minimum_interval"), _seconds(given, "maximum_interval"))
        raise ValueError(f"retry: strategy {strategy!r} is neither {_FIXED} nor {_EXPONENTIAL}")

    def allows(self, failures: int) -> bool:
        """Whether a run that has failed so often is tried again."""
        return self.most == _FOREVER or failures <= self.most

    def pause(self, failures: int) -> float:
        """Seconds from the failure number `failures` to the next try."""
        doubled: float = self.first_seconds * 2.0 ** min(failures - 1, 30)
        return min(doubled, self.longest_seconds)

    def context(self, failures: int) -> SimpleNamespace:
        """What the function sees as `context.retry_context`."""
        return SimpleNamespace(retry_count=failures, max_retry_count=self.most, exception=None)


def _seconds(given: Mapping[str, Any], name: str) -> float:
    text = given.get(name)
    if not text:
        raise ValueError(f"retry: {name} is missing, and below Python 3.13 Azure's worker then fails the whole app")
    return time_span(str(text), "retry").total_seconds()
