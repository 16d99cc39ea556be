"""Azure Monitor alerts in the common alert schema: metric alerts and Log Alerts V2, fired and resolved.

Read leniently: fields move and change case between samples (learn.microsoft.com, alerts-common-schema and
alerts-payload-samples). What must be there: which alert, which rule, fired or resolved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rollout.bad_input import BadInput, parsed, text_at

SCHEMA = "azureMonitorCommonAlertSchema"


@dataclass(frozen=True)
class Alert:
    """One notification. `targets` are ARM ids in lower case; names of dimensions are in lower case."""

    alert_id: str
    rule: str
    fired: bool
    severity: str
    at: str
    targets: tuple[str, ...]
    dimensions: Mapping[str, str]
    properties: Mapping[str, str]

    @property
    def condition(self) -> str:
        """`fired` or `resolved`."""
        return "fired" if self.fired else "resolved"

    @property
    def key(self) -> str:
        """The same for a repeated notification: an alert fires and resolves once each under one id."""
        return f"{self.alert_id}|{self.condition}|{self.at}"


def parse(raw: bytes | str) -> Alert:
    """The alert in a webhook's body; BadInput names the field that cannot be read."""
    body = parsed(raw)
    if body.get("schemaId") != SCHEMA:
        raise BadInput("schemaId", f"must be {SCHEMA}: turn on the common alert schema in the action group")
    data = _object(body, "data", "data")
    essentials = _object(data, "essentials", "data.essentials")
    condition = text_at(essentials, "monitorCondition", "data.essentials.monitorCondition").lower()
    if condition not in ("fired", "resolved"):
        raise BadInput("data.essentials.monitorCondition", f"is {condition!r}, neither Fired nor Resolved")
    raw_context = data.get("alertContext")
    context: dict[str, Any] = raw_context if isinstance(raw_context, dict) else {}
    when = "firedDateTime" if condition == "fired" else "resolvedDateTime"
    return Alert(
        alert_id=text_at(essentials, "alertId", "data.essentials.alertId"),
        rule=text_at(essentials, "alertRule", "data.essentials.alertRule"),
        fired=condition == "fired",
        severity=str(essentials.get("severity") or ""),
        at=str(essentials.get(when) or essentials.get("firedDateTime") or ""),
        targets=_targets(essentials),
        dimensions=_dimensions(context),
        # Documented at data.customProperties; log alerts show them in alertContext.properties.
        properties={**_texts(context.get("properties")), **_texts(data.get("customProperties"))},
    )


def _targets(essentials: Mapping[str, Any]) -> tuple[str, ...]:
    ids = essentials.get("alertTargetIDs")
    if ids is None:
        return ()
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        raise BadInput("data.essentials.alertTargetIDs", "must be a list of resource ids")
    return tuple(one.lower().rstrip("/") for one in ids)


def _dimensions(context: Mapping[str, Any]) -> dict[str, str]:
    condition = context.get("condition")
    criteria = condition.get("allOf") if isinstance(condition, dict) else None
    found: dict[str, str] = {}
    for criterion in criteria if isinstance(criteria, list) else []:
        listed = criterion.get("dimensions") if isinstance(criterion, dict) else None
        for one in listed if isinstance(listed, list) else []:
            if isinstance(one, dict) and isinstance(one.get("name"), str):
                found[one["name"].lower()] = str(one.get("value", ""))
    return found


def _texts(value: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}


def _object(value: Mapping[str, Any], name: str, path: str) -> dict[str, Any]:
    found = value.get(name)
    if not isinstance(found, dict):
        raise BadInput(path, "is missing: an object is expected")
    return found
