"""Online endpoints and deployments as a GET shows them. Every field that the SDK cannot do without is always there."""

from __future__ import annotations

from typing import Any

from localcloud.arm.paths import PROVIDER
from localcloud.arm.store import Deployment, Endpoint, inference_system_data
from localcloud.seams import Json

SERVER_PROPERTIES = ("azureml.onlineendpointid", "AzureAsyncOperationUri", "createdBy", "createdAt", "lastModifiedAt")
"""Made by the server: a client that reads, edits and writes back sends them along, and they are overwritten."""

_PROBE: Json = {
    "failureThreshold": 30,
    "successThreshold": 1,
    "timeout": "PT2S",
    "period": "PT10S",
    "initialDelay": "PT10S",
}
_REQUESTS: Json = {"maxQueueWait": "PT0S", "requestTimeout": "PT5S", "maxConcurrentRequestsPerInstance": 1}


def user_properties(given: Json | None) -> Json:
    """What remains of `properties.properties` without the server's own entries."""
    return {name: value for name, value in (given or {}).items() if name not in SERVER_PROPERTIES}


def endpoint_body(endpoint: Endpoint, scoring_uri: str, tenant_id: str) -> Json:
    """The endpoint. The scoring address is null until the first operation has succeeded."""
    ready = endpoint.ever_succeeded
    identity: Json = {"type": "SystemAssigned", **endpoint.identity}
    if "SystemAssigned" in str(identity["type"]):
        identity |= {"principalId": endpoint.principal_id, "tenantId": tenant_id}
    return {
        "id": endpoint.arm_id,
        "name": endpoint.name,
        "type": f"{PROVIDER}/workspaces/onlineEndpoints",
        "properties": {
            "description": endpoint.description,
            "properties": {
                **endpoint.user_properties,
                "azureml.onlineendpointid": endpoint.arm_id.lower(),
                "AzureAsyncOperationUri": endpoint.operation_uri,
            },
            "scoringUri": scoring_uri if ready else None,
            "swaggerUri": scoring_uri.removesuffix("/score") + "/swagger.json" if ready else None,
            "authMode": endpoint.auth_mode,
            "provisioningState": endpoint.state,
            "compute": None,
            "traffic": endpoint.traffic,
            "mirrorTraffic": endpoint.mirror,
            "publicNetworkAccess": endpoint.public_network_access,
        },
        "systemData": inference_system_data(endpoint.created, endpoint.modified),
        "tags": endpoint.tags,
        "location": endpoint.location,
        "kind": "Managed",
        "identity": identity,
    }


def deployment_properties(given: Json) -> Json:
    """A deployment's properties as the service keeps them: its own words and defaults over what was sent."""
    kept: Json = {name: given.get(name) for name in ("description", "codeConfiguration", "environmentId", "model")}
    kept |= {
        "environmentVariables": given.get("environmentVariables") or {},
        "scaleSettings": given.get("scaleSettings") or {"scaleType": "Default"},
        "requestSettings": {**_REQUESTS, **_present(given.get("requestSettings"))},
        "modelMountPath": given.get("modelMountPath"),
        "appInsightsEnabled": bool(given.get("appInsightsEnabled")),
        "livenessProbe": {**_PROBE, **_present(given.get("livenessProbe"))},
        "readinessProbe": {**_PROBE, **_present(given.get("readinessProbe"))},
        "instanceType": given.get("instanceType"),
        "privateNetworkConnection": bool(given.get("privateNetworkConnection")),
        "egressPublicNetworkAccess": str(given.get("egressPublicNetworkAccess") or "Enabled").capitalize(),
        "endpointComputeType": given.get("endpointComputeType") or "Managed",
    }
    if collector := given.get("dataCollector"):
        kept["dataCollector"] = _data_collector(collector)
    return kept


def deployment_body(endpoint: Endpoint, deployment: Deployment) -> Json:
    """The deployment; probes and the request timeout are blank until the first operation has succeeded."""
    properties = {
        **deployment.properties,
        "properties": {**deployment.user_properties, "AzureAsyncOperationUri": deployment.operation_uri},
        "provisioningState": deployment.state,
    }
    if not deployment.ever_succeeded:
        properties |= {"livenessProbe": None, "readinessProbe": None}
        properties["requestSettings"] = {**properties["requestSettings"], "requestTimeout": "PT0S"}
    body: Json = {
        "id": f"{endpoint.arm_id}/deployments/{deployment.name}",
        "name": deployment.name,
        "type": f"{PROVIDER}/workspaces/onlineEndpoints/deployments",
        "properties": properties,
        "systemData": inference_system_data(deployment.created, deployment.modified),
        "tags": deployment.tags,
        "location": deployment.location,
        "kind": "Managed",
        "sku": {"name": "Default", "tier": "Standard", **deployment.sku},
    }
    if deployment.identity:
        body["identity"] = deployment.identity
    return body


def _present(given: Json | None) -> Json:
    return {name: value for name, value in (given or {}).items() if value is not None}


def _data_collector(given: Json) -> Json:
    """Azure answers Enabled / Disabled, whatever case came in."""
    collections: dict[str, Any] = {}
    for name, collection in (given.get("collections") or {}).items():
        mode = str(collection.get("dataCollectionMode") or "Disabled").capitalize()
        collections[name] = {"samplingRate": 1.0, **_present(collection), "dataCollectionMode": mode}
    return {"rollingRate": "Hour", **_present(given), "collections": collections}
