"""`.local/env`: everything that a script, the app or a test needs to talk to one running local stack.

The one place of `localcloud` that knows the names of the app's settings: it writes them and reads none. The file is
shell (`set -a; . .local/env`) and plain `KEY=value` at once; only values that a shell would break are quoted.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from localcloud import identity
from localcloud.azurite import Account
from localcloud.files import write_private
from localcloud.scoring.options import ScoringOptions
from localcloud.secrets_file import Secrets
from localcloud.settings import Settings

#: What a child must not inherit: settings of another Azure, another stack, or a leak of azure-ai-ml's.
_FOREIGN = (
    "AZURE",
    "IDENTITY_",
    "MSI_",
    "UNDERSTUDY_",
    "LOCALCLOUD_",
    "APPLICATIONINSIGHTS_",
    "WEBSITE_",
    "FUNCTIONS_",
)
_REPOSITORY = Path(__file__).resolve().parents[1]
_NO_PROXY = "localhost,127.0.0.1"


@dataclass(frozen=True)
class Addresses:
    """Where the parts of one stack answer."""

    cloud_url: str
    functions_url: str
    account: Account
    ca_file: Path


def compose(settings: Settings, secrets: Secrets, at: Addresses) -> dict[str, str]:
    """The whole environment of one stack: contracts.md, "One machine"."""
    return {
        **_azure(settings, at),
        **_doors(secrets, at),
        **_app(at),
        **_host_storage(at),
        **_telemetry(settings, at),
    }


def write(path: Path, environment: Mapping[str, str]) -> None:
    """Replace the file in one step, readable by its owner only."""
    lines = [f"{key}={shlex.quote(value)}" for key, value in environment.items()]
    write_private(path, ("\n".join(lines) + "\n").encode())


def for_child(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child process: this one's without foreign Azure settings, and `environment` over it."""
    kept = {key: value for key, value in os.environ.items() if not key.upper().startswith(_FOREIGN)}
    path = os.pathsep.join(part for part in (str(_REPOSITORY), kept.get("PYTHONPATH", "")) if part)
    return {**kept, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **environment}


def trust(ca_file: Path) -> dict[str, str]:
    """What makes HTTP clients believe the local certificates and go past any proxy."""
    return {
        "REQUESTS_CA_BUNDLE": str(ca_file),
        "SSL_CERT_FILE": str(ca_file),
        "NO_PROXY": _NO_PROXY,
        "no_proxy": _NO_PROXY,
    }


def from_settings(settings: Settings | ScoringOptions) -> dict[str, str]:
    """What `from_environment` of the one kind and `options_from_environment` of the other read back."""
    return {f"LOCALCLOUD_{field.name.upper()}": str(getattr(settings, field.name)) for field in fields(settings)}


def _azure(settings: Settings, at: Addresses) -> dict[str, str]:
    return {
        "SUBSCRIPTION_ID": settings.subscription_id,
        "RESOURCE_GROUP": settings.resource_group,
        "WORKSPACE": settings.workspace,
        "REGISTRY": settings.registry,
        "REGION": settings.region,
        "LOG_ANALYTICS_WORKSPACE_ID": settings.log_analytics_workspace_id,
        "AZUREML_CLOUD_NAME": _cloud_name(at),
        "AZUREML_CLOUD_METADATA": _cloud_metadata(at),
        "LOCALCLOUD_URL": at.cloud_url,
        "LOCALCLOUD_CA": str(at.ca_file),
        **trust(at.ca_file),
    }


def _doors(secrets: Secrets, at: Addresses) -> dict[str, str]:
    return {
        "IDENTITY_ENDPOINT": f"{at.cloud_url}{identity.PATH}",
        "IDENTITY_HEADER": secrets.identity_header,
        "FUNCTIONS_URL": at.functions_url,
        "FUNCTIONS_KEY": secrets.functions_host_key,
        "FUNCTIONS_MASTER_KEY": secrets.functions_master_key,
        "EVENTGRID_KEY": secrets.eventgrid_key,
        "AZURE_STORAGE_CONNECTION_STRING": at.account.connection_string,
    }


def _app(at: Addresses) -> dict[str, str]:
    return {
        "UNDERSTUDY_ROLE": "all",
        "UNDERSTUDY_BLOB_URL": at.account.blob_url,
        "UNDERSTUDY_QUEUE_URL": at.account.queue_url,
        "UNDERSTUDY_ARM_URL": at.cloud_url,
        "UNDERSTUDY_LOGS_URL": at.cloud_url,
        "UNDERSTUDY_METRICS_URL": at.cloud_url,
        "UNDERSTUDY_PRICES_URL": at.cloud_url,
        "UNDERSTUDY_EVENTS_TOPIC_URL": f"{at.cloud_url}/topics/understudy/api/events",
        "UNDERSTUDY_AML_CLOUD_NAME": _cloud_name(at),
        "UNDERSTUDY_AML_CLOUD_METADATA": _cloud_metadata(at),
        "UNDERSTUDY_LOOK_SECONDS": "1",
        "UNDERSTUDY_REREAD_SECONDS": "5",
        "UNDERSTUDY_ADVANCE_SCHEDULE": "* * * * * *",
        "UNDERSTUDY_DISCOVER_SCHEDULE": "*/5 * * * * *",
        "UNDERSTUDY_EXPORT_SCHEDULE": "*/2 * * * * *",
        "UNDERSTUDY_DRIFT_SCHEDULE": "*/2 * * * * *",
    }


def _host_storage(at: Addresses) -> dict[str, str]:
    return {
        "AzureWebJobsStorage__blobServiceUri": at.account.blob_url,
        "AzureWebJobsStorage__queueServiceUri": at.account.queue_url,
        "AzureWebJobsStorage__credential": "managedidentity",
        "FUNCTIONS_WORKER_RUNTIME": "python",
        # The worker's default (cpus + 4) would let a few slow queue messages keep an alert waiting.
        "PYTHON_THREADPOOL_THREAD_COUNT": "32",
    }


def _telemetry(settings: Settings, at: Addresses) -> dict[str, str]:
    """The connection string, and silence towards everything that is not on this machine (facts/logs.md, section 4)."""
    endpoints = f"IngestionEndpoint={at.cloud_url}/;LiveEndpoint={at.cloud_url}/"
    return {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": f"InstrumentationKey={settings.instrumentation_key};{endpoints}",
        "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
        "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
        "APPLICATIONINSIGHTS_SDKSTATS_DISABLED": "true",
        "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "otel",
    }


def _cloud_name(at: Addresses) -> str:
    """One name per port: azure-ai-ml keeps the first metadata of a name for the whole process."""
    return f"Local{at.cloud_url.rsplit(':', 1)[1]}"


def _cloud_metadata(at: Addresses) -> str:
    metadata = {
        "azure_portal": at.cloud_url,
        "resource_manager": at.cloud_url,
        "active_directory": at.cloud_url,
        "aml_resource_id": at.cloud_url,
        "storage_endpoint": "core.local",
        "registry_discovery_endpoint": f"{at.cloud_url}/",
    }
    return json.dumps(metadata, separators=(",", ":"))
