"""Evaluates alert rules for ever and tells their action groups what changed.

Each rule has a task of its own, which looks every `alert_evaluation_seconds` or at the rule's own frequency, whichever
is shorter; where alerts are stepped it looks at each step and at no other time. A rule that cannot be evaluated is
reported once and looked at again; it never stops the others. Replacing a rule keeps the state of its alerts unless its
conditions changed; deleting it forgets them without resolving them.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import timedelta

from localcloud.monitor.action_groups import Notifier
from localcloud.monitor.alert_conditions import AlertConditions, Evaluation, Observation
from localcloud.monitor.alert_payload import Notice, payload
from localcloud.monitor.alert_rules import Rule
from localcloud.monitor.alert_state import Instance
from localcloud.monitor.kql_errors import QueryRefused
from localcloud.seams import AzureError, Cloud, utc_now

_log = logging.getLogger("localcloud.monitor")


@dataclass
class Watched:
    """A rule with the state of its alerts."""

    rule: Rule
    task: asyncio.Task[None] | None = None
    instances: dict[tuple[tuple[str, str], ...], Instance] = field(default_factory=dict)
    last_seen: dict[tuple[tuple[str, str], ...], Observation] = field(default_factory=dict)
    problem: str = ""


class Alerts:
    """All alert rules of the cloud."""

    def __init__(self, cloud: Cloud, conditions: AlertConditions, notifier: Notifier) -> None:
        self._conditions, self._notifier = conditions, notifier
        self._minute = timedelta(seconds=cloud.settings.minute_seconds)
        self._pace, self._stepped = cloud.pace, cloud.pace.stepped("alerts")
        self._longest_pause = cloud.settings.alert_evaluation_seconds
        self._watched: dict[str, Watched] = {}

    async def check(self, rule: Rule) -> None:
        """AzureError when the rule's query cannot be answered, in the words of the query service."""
        try:
            await asyncio.to_thread(self._conditions.check, rule)
        except QueryRefused as error:
            raise AzureError(
                error.status, "BadRequest" if error.status == 400 else error.code, _refusal(error)
            ) from error

    def set_rule(self, rule: Rule) -> None:
        """Make or replace a rule; its first look is at once, or at the next step."""
        watched = self._watched.get(rule.id.lower())
        if watched is not None:
            if watched.rule.criteria != rule.criteria:  # what it saw belongs to other conditions
                watched.instances.clear()
                watched.last_seen.clear()
            watched.rule = rule
            return
        watched = self._watched[rule.id.lower()] = Watched(rule)
        watched.task = asyncio.create_task(self._watch(watched))

    def remove_rule(self, rule_id: str) -> None:
        """Stop evaluating a rule."""
        watched = self._watched.pop(rule_id.lower(), None)
        if watched is not None and watched.task is not None:
            watched.task.cancel()

    async def close(self) -> None:
        """Stop everything."""
        tasks = [watched.task for watched in self._watched.values() if watched.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._notifier.close()

    async def _watch(self, watched: Watched) -> None:
        while True:
            if self._stepped:
                await self._pace.wait("alerts", 0)
            if watched.rule.enabled:
                await self._look(watched)
            if not self._stepped:
                own = watched.rule.frequency.total_seconds() / 60 * self._minute.total_seconds()
                await self._pace.wait("alerts", min(self._longest_pause, own))

    async def _look(self, watched: Watched) -> None:
        rule = watched.rule
        try:
            evaluation = await asyncio.to_thread(self._conditions.evaluate, rule)
            if watched.rule is rule:
                self._observe(watched, evaluation)
            watched.problem = ""
        except QueryRefused as error:
            if watched.problem != str(error):
                _log.warning("alert rule %s cannot be evaluated: %s", watched.rule.name, error)
            watched.problem = str(error)
        except Exception:
            # Whatever goes wrong in one evaluation must not end the watch; the next look may succeed.
            _log.exception("alert rule %s failed", watched.rule.name)

    def _observe(self, watched: Watched, evaluation: Evaluation) -> None:
        seen = {observation.key: observation for observation in evaluation.observations}
        watched.last_seen |= seen
        for key in watched.instances.keys() | seen.keys():
            now = utc_now()
            observation = seen.get(key)
            instance = watched.instances.setdefault(key, Instance())
            fired_before = instance.fired_at
            met = observation is not None and observation.met
            change = instance.observe(watched.rule, met, now, None if self._stepped else self._minute)
            if change is None:
                continue
            described = watched.last_seen[key]
            notice = Notice(
                watched.rule,
                change,
                instance.alert_id,
                instance.fired_at or fired_before or now,
                now,
                (evaluation.start, evaluation.end),
                described.measured,
                described.target,
            )
            self._notifier.notify(watched.rule.action_groups, payload(notice))


def _refusal(error: QueryRefused) -> str:
    return f"criteria.allOf[0].query: {error.message}. skipQueryValidation takes the rule as it is."
