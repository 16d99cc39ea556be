"""Would an alert about the endpoint reach the app? Good to have, and not needed: the gates watch without any alert."""

from __future__ import annotations

from cloud.alert_rules import AlertRules
from rollout.doctor import mend
from rollout.doctor.case import Case
from rollout.doctor.finding import Check, doubtful, good

DOOR = "/api/alerts"
NAME = "alerts"


def reach_us(case: Case) -> tuple[Check, ...]:
    """A rule that watches the endpoint, with an action group that posts to the app's door in the common schema."""
    rules = AlertRules(case.context.arm)
    hooks = [one for one in rules.webhooks(case.target.subscription_id) if one.url.split("?")[0].endswith(DOOR)]
    make = mend.action_group(case.target)
    if not hooks:
        text = f"no action group posts to {DOOR}: alerts reach nobody here; the gates watch all the same"
        return (doubtful(NAME, text, make),)
    ours = {one.group for one in hooks if one.common_schema}
    if not ours:
        groups = ", ".join(sorted(one.group.rsplit("/", 1)[-1] for one in hooks))
        return (doubtful(NAME, f"{groups} posts to {DOOR}, without the common alert schema", make),)
    found = [one for one in rules.rules(case.target.subscription_id) if ours & set(one.groups)]
    watching = sorted(one.name for one in found if one.watches(case.place.endpoint_id))
    if not watching:
        group = min(ours)
        text = f"no rule that tells {group.rsplit('/', 1)[-1]} watches the endpoint; the gates watch all the same"
        rule = (
            f"az monitor metrics alert create --name {case.place.endpoint}-latency"
            f" --resource-group {case.target.resource_group} --subscription {case.target.subscription_id}"
            f" --scopes {case.place.endpoint_id} --condition 'avg RequestLatency_P95 > 1000' --action {group}"
        )
        return (doubtful(NAME, text, rule),)
    return (good(NAME, f"{', '.join(watching)} reach the app"),)
