"""How much one endpoint may carry: bytes in both directions, and requests. Pure; the time is handed in.

Azure slows an endpoint down that carries more than its quota (5 MBPS, read here as megabytes), and tells so in
trailers of the response; too many requests are refused. One second's worth may come at once.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Allowance:
    """A rate with one second's worth in store. A rate of 0 is no limit."""

    per_second: float
    _used_until: float = float("-inf")

    def use(self, amount: float, now: float) -> float:
        """Use so much, and get the seconds to wait until it was there."""
        if self.per_second <= 0:
            return 0.0
        self._used_until = max(self._used_until, now - 1.0) + amount / self.per_second
        return max(0.0, self._used_until - now)

    def admits(self, amount: float, now: float) -> bool:
        """Use so much if it is there at once; else use nothing."""
        if self.per_second > 0 and max(self._used_until, now - 1.0) + amount / self.per_second > now:
            return False
        self.use(amount, now)
        return True


@dataclass
class Limits:
    """The allowances of one endpoint, all of its deployments together."""

    bytes: Allowance
    requests: Allowance
