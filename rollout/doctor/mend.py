"""The commands that mend what a check found, with the real ids filled in: to be read, then pasted into a shell.

None of them is ever run by us: most change who may do what, and that is for people to decide.
"""

from __future__ import annotations

import json
import shlex

from cloud.access import Caller
from policy.model import Target

NAME = "understudy"
SCIENTIST, READER, MONITORING_READER = "AzureML Data Scientist", "Reader", "Monitoring Reader"
LOGS_READER, REGISTRY_USER = "Log Analytics Data Reader", "AzureML Registry User"
BLOBS, QUEUES = "Storage Blob Data Owner", "Storage Queue Data Contributor"
LOG_WORKSPACES = "az monitor log-analytics workspace list --query '[].{name:name, id:customerId}' -o table"
AUTOSCALE = "Understudy autoscale"
"""No role of Azure's own gives autoscale settings and not much more: this one is made on the way."""


def role(caller: Caller, name: str, scope: str) -> str:
    """Give whoever asks a role. A `scope` that begins with $( is a command that finds it."""
    who = caller.object_id or "OBJECT-ID-OF-THE-APP"
    where = f'"{scope}"' if scope.startswith("$(") else shlex.quote(scope)
    return (
        f"az role assignment create --assignee-object-id {who} --assignee-principal-type {caller.kind}"
        f" --role {shlex.quote(name)} --scope {where}"
    )


def autoscale_role(caller: Caller, group_id: str) -> str:
    """Make the role for autoscale settings and give it."""
    subscription = "/".join(group_id.split("/")[:3])
    definition = {
        "Name": AUTOSCALE,
        "Actions": ["Microsoft.Insights/autoscaleSettings/*"],
        "AssignableScopes": [subscription],
    }
    made = f"az role definition create --role-definition {shlex.quote(json.dumps(definition))}"
    return f"{made} && {role(caller, AUTOSCALE, group_id)}"


def upload(file: str) -> str:
    """Put a file of requests where the policy looks for it; one with an address of its own is its owner's to mend."""
    if file.startswith(("azureml://", "https://")):
        return ""
    return (
        f"az storage blob upload --auth-mode login --account-name ACCOUNT --container-name policies"
        f" --name {shlex.quote(file)} --file FILE"
    )


def log_workspace(target: Target) -> str:
    """A command that finds the ARM id of the policy's Log Analytics workspace."""
    query = f"[?customerId=='{target.log_analytics_workspace_id}'].id"
    return (
        f"$(az monitor log-analytics workspace list --subscription {target.subscription_id} --query {query!r} -o tsv)"
    )


def storage_account(blob_url: str) -> str:
    """A command that finds the ARM id of the app's storage account."""
    query = f"[?name=='{blob_url.partition('://')[2].split('.')[0]}'].id"
    return f"$(az storage account list --query {query!r} -o tsv)"


def diagnostic_setting(endpoint_id: str, target: Target) -> str:
    """Send all logs of the endpoint to the policy's workspace."""
    logs = json.dumps([{"categoryGroup": "allLogs", "enabled": True}])
    return (
        f"az monitor diagnostic-settings create --name {NAME} --resource {endpoint_id}"
        f' --workspace "{log_workspace(target)}" --logs {shlex.quote(logs)}'
    )


def registry(caller: Caller, name: str) -> str:
    """Let whoever asks read a registry."""
    kind = "Microsoft.MachineLearningServices/registries"
    found = f"$(az resource list --name {name} --resource-type {kind} --query '[].id' -o tsv)"
    return role(caller, REGISTRY_USER, found)


def endpoint(target: Target, name: str, verb: str, *options: str) -> str:
    """`az ml online-endpoint` or `batch-endpoint`, at the target's workspace."""
    return _ml(target, f"{target.kind}-endpoint {verb} --name {shlex.quote(name)}", *options)


def deployment(target: Target, endpoint_name: str, name: str, verb: str, *options: str) -> str:
    """The same for one of its deployments."""
    head = f"{target.kind}-deployment {verb} --name {shlex.quote(name)} --endpoint-name {shlex.quote(endpoint_name)}"
    return _ml(target, head, *options)


def model_tag(target: Target, registry_name: str | None, model: str, version: str, tags: dict[str, str]) -> str:
    """Give a version the tags that the policy asks for."""
    head = f"az ml model update --name {shlex.quote(model)} --version {shlex.quote(version)}"
    where = f"--registry-name {shlex.quote(registry_name)}" if registry_name else _workspace(target)
    sets = " ".join(f"--set {shlex.quote(f'tags.{key}={value}')}" for key, value in tags.items())
    return f"{head} {where} {sets}"


def quota(subscription_id: str, region: str, family: str, cores: int) -> str:
    """Ask for a family's cores to be raised to so many."""
    scope = f"/subscriptions/{subscription_id}/providers/Microsoft.MachineLearningServices/locations/{region}"
    return (
        f"az quota update --resource-name {shlex.quote(family)} --scope {scope}"
        f" --limit-object value={cores} --resource-type dedicated"
    )


def sizes(target: Target, region: str) -> str:
    """Show the sizes of machines that a region has."""
    return _ml(target, "compute list-sizes", f"--location {region}", "--output table")


def action_group(target: Target) -> str:
    """An action group that posts to the app's alert door."""
    return (
        f"az monitor action-group create --name {NAME} --resource-group {target.resource_group}"
        f" --subscription {target.subscription_id} --action webhook {NAME}"
        " 'https://APP.azurewebsites.net/api/alerts?code=FUNCTION-KEY' usecommonalertschema"
    )


def _ml(target: Target, command: str, *options: str) -> str:
    return " ".join([f"az ml {command} {_workspace(target)}", *options])


def _workspace(target: Target) -> str:
    return (
        f"--resource-group {shlex.quote(target.resource_group)} --workspace-name {shlex.quote(target.workspace)}"
        f" --subscription {target.subscription_id}"
    )
