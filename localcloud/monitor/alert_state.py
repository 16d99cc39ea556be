"""When an alert fires and when it resolves: one instance per combination of dimension values, without any I/O.

Fired once, then silent until Resolved: three clean checks for a metric rule; for a log rule a clean time that follows
from its frequency. A stateless rule (autoMitigate false) never resolves and fires again while it is met and not mute.
No data is a clean check (UNCONFIRMED in Azure): a deployment that lost its traffic lets its alert resolve. Where
evaluations are stepped no clock counts: each of them stands for one period of the rule's frequency.
"""

from __future__ import annotations

import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from localcloud.monitor.alert_rules import Rule

Change = Literal["Fired", "Resolved"]
_CLEAN_CHECKS = 3


@dataclass
class Instance:
    """The alert of one combination of dimension values."""

    alert_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    fired_at: datetime | None = None
    """When it fired; None while it is not fired."""
    last_fired_at: datetime | None = None
    checks: int = 0
    """Evaluations so far."""
    last_fired_check: int = 0
    clean_since: datetime | None = None
    clean_checks: int = 0
    recent: deque[bool] = field(default_factory=deque)

    def observe(self, rule: Rule, met: bool, now: datetime, minute: timedelta | None) -> Change | None:
        """Take one evaluation's outcome; what has to be told to the action groups. `minute`: None when stepped."""
        self.checks += 1
        evaluated, failing = rule.criteria[0].periods
        self.recent.append(met)
        while len(self.recent) > evaluated:
            self.recent.popleft()
        alerting = sum(self.recent) >= failing
        if not rule.stateful:
            return self._observe_stateless(rule, alerting, now, minute)
        if self.fired_at is None:
            return self._fire(now) if alerting else None
        if met:
            self.clean_since, self.clean_checks = None, 0
            return None
        self.clean_since = self.clean_since or now
        self.clean_checks += 1
        return self._resolve() if self._clean_for_long_enough(rule, now, minute) else None

    def _observe_stateless(self, rule: Rule, alerting: bool, now: datetime, minute: timedelta | None) -> Change | None:
        if not alerting:
            return None
        if self.last_fired_at is not None:
            passed = _passed(rule, now - self.last_fired_at, self.checks - self.last_fired_check, minute)
            if passed < max(rule.frequency, rule.mute):
                return None
        return self._fire(now)

    def _fire(self, now: datetime) -> Change:
        if self.last_fired_at is not None:
            self.alert_id = str(uuid.uuid4())
        self.fired_at = self.last_fired_at = now
        self.last_fired_check = self.checks
        self.clean_since, self.clean_checks = None, 0
        return "Fired"

    def _resolve(self) -> Change:
        self.fired_at = self.clean_since = None
        self.clean_checks = 0
        self.recent.clear()
        return "Resolved"

    def _clean_for_long_enough(self, rule: Rule, now: datetime, minute: timedelta | None) -> bool:
        if not rule.of_logs:
            return self.clean_checks >= _CLEAN_CHECKS
        assert self.clean_since is not None
        passed = _passed(rule, now - self.clean_since, self.clean_checks - 1, minute)
        return passed >= (rule.time_to_resolve or log_clean_time(rule.frequency))


def log_clean_time(frequency: timedelta) -> timedelta:
    """How long a log rule has to be clean before its alert resolves, in Azure's time."""
    if frequency < timedelta(minutes=5):
        return timedelta(minutes=10)
    if frequency < timedelta(minutes=15):
        return 3 * frequency
    return 2 * frequency if frequency < timedelta(hours=11) else frequency


def _passed(rule: Rule, real: timedelta, checks: int, minute: timedelta | None) -> timedelta:
    """Azure's time between two evaluations, which lie `checks` apart."""
    return checks * rule.frequency if minute is None else timedelta(minutes=1) * (real / minute)
