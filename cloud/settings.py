"""Every setting of the app, with type and default, in one place.

`python -m cloud.settings` writes docs/settings.md from it.

The defaults are Azure's public cloud; other clouds and the tests point the same settings elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

ROLES = ("all", "control", "analysis")
SEVERITIES = ("info", "warning", "error")


class SettingsError(ValueError):
    """A setting is missing or cannot be read; the message names it and says what it should be."""


def _setting(default: Any, text: str, *, name: str | None = None, secret: bool = False) -> Any:
    return field(default=default, metadata={"text": text, "name": name}, repr=not secret)


@dataclass(frozen=True)
class Settings:
    """Each field is read from `UNDERSTUDY_<FIELD>` unless its metadata names another variable."""

    role: str = _setting("all", "`all`, `control` (rollouts, alerts, pages) or `analysis` (export, drift)")
    blob_url: str = _setting("", "Blob endpoint of the app's storage account, https://ACCOUNT.blob.core.windows.net")
    queue_url: str = _setting("", "Queue endpoint of the same account, https://ACCOUNT.queue.core.windows.net")
    client_id: str = _setting("", "Client id of a user-assigned managed identity; empty: the system-assigned one")
    arm_url: str = _setting("https://management.azure.com", "Azure Resource Manager")
    arm_audience: str = _setting("https://management.azure.com", "Audience of its tokens")
    logs_url: str = _setting("https://api.loganalytics.io", "Log Analytics query API")
    metrics_url: str = _setting("https://{region}.metrics.monitor.azure.com", "Azure Monitor metrics data plane")
    prices_url: str = _setting("https://prices.azure.com", "Azure's retail prices, which `gates.cost` compares with")
    aml_cloud_name: str = _setting("", "Name of a cloud for azure-ai-ml; empty: the public one")
    aml_cloud_metadata: str = _setting("", "Its endpoints as JSON: the six keys of MLClient's cloud_metadata")
    look_seconds: float = _setting(30.0, "Time between two looks at a rollout in flight")
    reread_seconds: float = _setting(
        600.0, "How long a look may go by what an earlier one read of an endpoint that stands still"
    )
    alert_seconds: float = _setting(5.0, "How long the alert webhook may spend on the rollback itself")
    advance_schedule: str = _setting("*/30 * * * * *", "When rollouts in flight are queued (NCRONTAB, six fields, UTC)")
    discover_schedule: str = _setting("0 */5 * * * *", "When versions and tags of watched models are listed")
    export_schedule: str = _setting("0 */5 * * * *", "When closed windows of inference logs are queued")
    drift_schedule: str = _setting("30 */5 * * * *", "When endpoints whose drift is due are queued")
    events_topic_url: str = _setting(
        "", "Event Grid topic that a rollout's events go to, https://TOPIC.REGION.eventgrid.azure.net/api/events"
    )
    teams_webhook: str = _setting(
        "", "Address of a Teams workflow that posts cards. A secret: give a Key Vault reference", secret=True
    )
    teams_severity: str = _setting("warning", "The lowest severity that Teams is told: `info`, `warning` or `error`")
    slack_webhook: str = _setting(
        "", "Address of a Slack incoming webhook. A secret: give a Key Vault reference", secret=True
    )
    slack_severity: str = _setting("warning", "The lowest severity that Slack is told: `info`, `warning` or `error`")
    app_insights: str = _setting(
        "", "Application Insights connection string", name="APPLICATIONINSIGHTS_CONNECTION_STRING"
    )

    @property
    def cloud_metadata(self) -> dict[str, str] | None:
        """`aml_cloud_metadata` as a mapping, or None for the public cloud."""
        if not self.aml_cloud_metadata:
            return None
        loaded: dict[str, str] = json.loads(self.aml_cloud_metadata)
        return loaded

    @property
    def aml_audience(self) -> str:
        """Audience of the tokens for Azure ML's own services."""
        return (self.cloud_metadata or {}).get("aml_resource_id") or "https://ml.azure.com"

    @staticmethod
    def variable(name: str) -> str:
        """The environment variable that the field `name` is read from."""
        metadata = {f.name: f.metadata for f in fields(Settings)}[name]
        return metadata["name"] or f"UNDERSTUDY_{name.upper()}"

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Settings:
        """Settings from an environment; SettingsError names the variable that is wrong and what it should be."""
        values: dict[str, Any] = {}
        for one in fields(cls):
            variable = cls.variable(one.name)
            text = environment.get(variable, "")
            if not text:
                continue
            try:
                values[one.name] = float(text) if isinstance(one.default, float) else text
            except ValueError:
                raise SettingsError(f"{variable}: {text!r} is not a number of seconds") from None
        settings = cls(**values)
        settings._check()
        return settings

    @classmethod
    def value(cls, environment: Mapping[str, str], name: str) -> str:
        """One text setting by itself, for what must be known before the others are needed (role, schedules)."""
        return environment.get(cls.variable(name), "") or str(getattr(cls, name))

    def _check(self) -> None:
        if self.role not in ROLES:
            raise SettingsError(f"UNDERSTUDY_ROLE: {self.role!r} is none of {', '.join(ROLES)}")
        for name in ("blob_url", "queue_url"):
            if not getattr(self, name).startswith("https://"):
                raise SettingsError(f"{self.variable(name)}: give the https:// endpoint of the app's storage account")
        for name in ("teams_severity", "slack_severity"):
            if getattr(self, name) not in SEVERITIES:
                raise SettingsError(f"{self.variable(name)}: give one of {', '.join(SEVERITIES)}")
        for name in ("events_topic_url", "teams_webhook", "slack_webhook"):
            value = getattr(self, name)
            if value and not value.startswith("https://"):
                raise SettingsError(f"{self.variable(name)}: must begin with https://")
        try:
            _ = self.cloud_metadata
        except ValueError as error:
            raise SettingsError(f"UNDERSTUDY_AML_CLOUD_METADATA is not JSON: {error}") from None


_STORAGE_NOTE = """\
The host's own storage connection is `AzureWebJobsStorage`, by managed identity:
`AzureWebJobsStorage__blobServiceUri`, `AzureWebJobsStorage__queueServiceUri` and
`AzureWebJobsStorage__credential=managedidentity` (with `__clientId` for a user-assigned identity). It must be the same
account as `UNDERSTUDY_BLOB_URL` and `UNDERSTUDY_QUEUE_URL`."""


def reference() -> str:
    """docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Environment variables of the function app. Written by `python -m cloud.settings`; do not edit.",
        "",
        "| variable | type | default | what it is |",
        "| --- | --- | --- | --- |",
    ]
    for one in fields(Settings):
        kind = "seconds" if isinstance(one.default, float) else "text"
        default = f"`{one.default:g}`" if isinstance(one.default, float) else f"`{one.default}`" if one.default else ""
        lines.append(f"| `{Settings.variable(one.name)}` | {kind} | {default} | {one.metadata['text']} |")
    lines += ["", _STORAGE_NOTE]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    from pathlib import Path

    Path(__file__).parents[1].joinpath("docs", "settings.md").write_text(reference())
