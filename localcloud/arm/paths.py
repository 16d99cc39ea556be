"""ARM paths and what they name. Segment names match in any case, as ARM does; names keep the case they were made with.

Trade-off: only the configured workspace and registry exist. Anything else is the 404 that ARM gives, so that a wrong id
in a policy is noticed here and not on Azure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from localcloud.seams import AzureError
from localcloud.settings import Settings

PROVIDER = "Microsoft.MachineLearningServices"
WORKSPACE = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{PROVIDER}/workspaces/{{workspace}}"
REGISTRY = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{PROVIDER}/registries/{{registry}}"
LOCATIONS = f"/subscriptions/{{subscription}}/providers/{PROVIDER}/locations/{{location}}"
REGISTRY_HOST = "/mferp/managementfrontend"
"""Where the registry's data plane lives under the provider uri that discovery names."""


def any_case(path: str) -> str:
    """The aiohttp route for an ARM path whose fixed segments, after the first, match in any case."""
    head, *rest = path.lstrip("/").split("/")
    segments = [
        part if part.startswith("{") else f"{{_{number}:(?i:{re.escape(part)})}}" for number, part in enumerate(rest)
    ]
    return "/" + "/".join([head, *segments])


@dataclass(frozen=True)
class Scope:
    """A workspace or a registry: what owns assets."""

    subscription: str
    resource_group: str
    kind: str
    """workspaces or registries."""
    name: str

    @property
    def arm_id(self) -> str:
        """The ARM id, in the case it was made with."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
            f"/providers/{PROVIDER}/{self.kind}/{self.name}"
        )

    @property
    def key(self) -> str:
        """The ARM id as a look-up key."""
        return self.arm_id.lower()

    @property
    def is_registry(self) -> bool:
        """Registries raise no events and give azureml:// ids."""
        return self.kind == "registries"

    def asset_id(self, kind: str, name: str, version: str | None = None) -> str:
        """The id that Azure shows for an asset of this scope."""
        tail = f"{kind}/{name}" + (f"/versions/{version}" if version is not None else "")
        return f"azureml://registries/{self.name}/{tail}" if self.is_registry else f"{self.arm_id}/{tail}"


def workspace_scope(settings: Settings) -> Scope:
    """The workspace of this cloud."""
    return Scope(settings.subscription_id, settings.resource_group, "workspaces", settings.workspace)


def registry_scope(settings: Settings) -> Scope:
    """The registry of this cloud."""
    return Scope(settings.subscription_id, settings.resource_group, "registries", settings.registry)


def scope_of(names: Mapping[str, str], settings: Settings) -> Scope:
    """The scope that a request's path names; ARM's own 404 when there is no such thing."""
    scope = registry_scope(settings) if "registry" in names else workspace_scope(settings)
    if names["subscription"].lower() != scope.subscription.lower():
        raise AzureError(404, "SubscriptionNotFound", f"The subscription '{names['subscription']}' could not be found.")
    if names["group"].lower() != scope.resource_group.lower():
        raise AzureError(404, "ResourceGroupNotFound", f"Resource group '{names['group']}' could not be found.")
    asked = names.get("registry") or names["workspace"]
    if asked.lower() != scope.name.lower():
        raise AzureError(
            404,
            "ResourceNotFound",
            f"The Resource '{PROVIDER}/{scope.kind}/{asked}' under resource group '{names['group']}' was not found. "
            "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
        )
    return scope
