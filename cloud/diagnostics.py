"""Diagnostic settings: which logs a resource sends to which Log Analytics workspace.

learn.microsoft.com/rest/api/monitor/diagnostic-settings. A setting names the workspace by its ARM id, queries name it
by a GUID (`customerId`); the workspace itself ties the two.
"""

from __future__ import annotations

from dataclasses import dataclass

from cloud.arm import Arm, Json

API_VERSION = "2021-05-01-preview"
WORKSPACES_API_VERSION = "2023-09-01"
ONLINE_CATEGORIES = ("AmlOnlineEndpointTrafficLog", "AmlOnlineEndpointConsoleLog", "AmlOnlineEndpointEventLog")
_ALL = "alllogs"


@dataclass(frozen=True)
class DiagnosticSetting:
    """One setting: its name, the workspace's ARM id (lower case, empty for none), and what is sent there."""

    name: str
    workspace: str
    enabled: frozenset[str]
    """Categories and category groups in lower case."""

    def sends(self, category: str) -> bool:
        """Whether it sends this category of logs."""
        return _ALL in self.enabled or category.lower() in self.enabled


class Diagnostics:
    """Reads of settings, and of the workspaces that they name."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    def of(self, resource_id: str) -> tuple[DiagnosticSetting, ...]:
        """The settings of a resource that send anything to a workspace, in one call."""
        found = self._arm.pages(f"{resource_id}/providers/Microsoft.Insights/diagnosticSettings", API_VERSION)
        return tuple(one for one in map(_setting, found) if one.workspace)

    def customer_id(self, workspace: str) -> str:
        """The GUID of a workspace, in lower case; empty when there is no such workspace."""
        body = self._arm.get(workspace, WORKSPACES_API_VERSION) or {}
        return str((body.get("properties") or {}).get("customerId") or "").lower()

    def workspace(self, subscription_id: str, customer_id: str) -> str:
        """The ARM id of the workspace with this GUID, or empty where the subscription shows none."""
        path = f"/subscriptions/{subscription_id}/providers/Microsoft.OperationalInsights/workspaces"
        for body in self._arm.pages(path, WORKSPACES_API_VERSION):
            if str(body["properties"].get("customerId") or "").lower() == customer_id.lower():
                return str(body["id"])
        return ""


def _setting(body: Json) -> DiagnosticSetting:
    properties: Json = body.get("properties") or {}
    logs = [log for log in properties.get("logs") or [] if log.get("enabled")]
    enabled = frozenset(str(log.get("category") or log.get("categoryGroup") or "").lower() for log in logs)
    return DiagnosticSetting(str(body.get("name")), str(properties.get("workspaceId") or "").lower(), enabled)
