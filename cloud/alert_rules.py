"""Alert rules and whom they tell: metric alerts, log search alerts and the webhooks of action groups.

learn.microsoft.com/rest/api/monitor (metric-alerts, scheduled-query-rules, action-groups).
"""

from __future__ import annotations

from dataclasses import dataclass

from cloud.arm import Arm, Json

METRIC_VERSION, QUERY_VERSION, GROUP_VERSION = "2018-03-01", "2023-12-01", "2023-01-01"


@dataclass(frozen=True)
class Rule:
    """An alert rule that is turned on."""

    name: str
    scopes: tuple[str, ...]
    """ARM ids in lower case."""
    groups: tuple[str, ...]
    """Ids of its action groups in lower case."""

    def watches(self, resource_id: str) -> bool:
        """Whether the resource is, or lies in, one of its scopes."""
        one = f"{resource_id.lower()}/"
        return any(one.startswith(f"{scope}/") for scope in self.scopes)


@dataclass(frozen=True)
class Webhook:
    """Where an action group posts to, and whether it sends the common alert schema."""

    group: str
    url: str
    common_schema: bool


class AlertRules:
    """Lists of a subscription."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    def rules(self, subscription_id: str) -> tuple[Rule, ...]:
        """Every rule that is turned on, in two calls."""
        metric = self._arm.pages(f"{_insights(subscription_id)}/metricAlerts", METRIC_VERSION)
        query = self._arm.pages(f"{_insights(subscription_id)}/scheduledQueryRules", QUERY_VERSION)
        return tuple(_rule(one) for one in [*metric, *query] if (one.get("properties") or {}).get("enabled", True))

    def webhooks(self, subscription_id: str) -> tuple[Webhook, ...]:
        """Every webhook of every action group that is turned on."""
        groups = self._arm.pages(f"{_insights(subscription_id)}/actionGroups", GROUP_VERSION)
        return tuple(
            Webhook(
                str(group["id"]).lower(),
                str(hook.get("serviceUri") or ""),
                bool(hook.get("useCommonAlertSchema")),
            )
            for group in groups
            if group["properties"].get("enabled", True)
            for hook in group["properties"].get("webhookReceivers") or []
        )


def _insights(subscription_id: str) -> str:
    return f"/subscriptions/{subscription_id}/providers/Microsoft.Insights"


def _rule(body: Json) -> Rule:
    """Metric alerts list their actions, log search alerts have an object of them."""
    properties = body.get("properties") or {}
    actions = properties.get("actions") or []
    groups = (
        actions.get("actionGroups") or [] if isinstance(actions, dict) else [a.get("actionGroupId") for a in actions]
    )
    return Rule(
        str(body.get("name")),
        tuple(str(scope).lower().rstrip("/") for scope in properties.get("scopes") or ()),
        tuple(str(group).lower() for group in groups),
    )
