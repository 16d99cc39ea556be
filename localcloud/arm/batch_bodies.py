"""Batch endpoints, deployments and jobs as replies show them, after recorded traffic. Pure."""

from __future__ import annotations

from localcloud.arm.batch_records import BatchDeployment, BatchEndpoint, BatchJob
from localcloud.arm.envelope import invalid
from localcloud.arm.paths import PROVIDER
from localcloud.arm.store import inference_system_data
from localcloud.seams import Json

NOBODY = "00000000-0000-0000-0000-000000000000"
_SERVER_PROPERTIES = ("BatchEndpointCreationApiVersion", "azureml.onlineendpointid", "AzureAsyncOperationUri")
_RETRIES: Json = {"maxRetries": 3, "timeout": "PT30S"}
_LOGGING = {"info": "Info", "warning": "Warning", "debug": "Debug"}
_ACTIONS = {"appendrow": "AppendRow", "summaryonly": "SummaryOnly"}


def user_properties(given: Json | None) -> Json:
    """What remains of an endpoint's `properties.properties` without the server's own entries."""
    return {name: value for name, value in (given or {}).items() if name not in _SERVER_PROPERTIES}


def endpoint_body(endpoint: BatchEndpoint, scoring_uri: str) -> Json:
    """The endpoint. The scoring address is null until the first operation has succeeded."""
    like_online = endpoint.arm_id.lower().replace("/batchendpoints/", "/onlineendpoints/")
    return {
        "id": endpoint.arm_id,
        "name": endpoint.name,
        "type": f"{PROVIDER}/workspaces/batchEndpoints",
        "properties": {
            "description": endpoint.description,
            "properties": {
                **endpoint.user_properties,
                "BatchEndpointCreationApiVersion": endpoint.api_version,
                "azureml.onlineendpointid": like_online,
                "AzureAsyncOperationUri": endpoint.operation_uri,
            },
            "scoringUri": scoring_uri if endpoint.ever_succeeded else None,
            "swaggerUri": None,
            "authMode": "AADToken",
            "defaults": {"deploymentName": endpoint.default},
            "provisioningState": endpoint.state,
        },
        "systemData": inference_system_data(endpoint.created, endpoint.modified),
        "tags": endpoint.tags,
        "location": endpoint.location,
        "identity": {"type": "None", "principalId": NOBODY, "tenantId": NOBODY},
    }


def deployment_properties(given: Json) -> Json:
    """A deployment's properties as the service keeps them: its own words and defaults over what was sent."""
    resources = given.get("resources") or {}
    return {
        "description": given.get("description"),
        "properties": given.get("properties") or {},
        "codeConfiguration": given.get("codeConfiguration"),
        "environmentId": given.get("environmentId"),
        "environmentVariables": given.get("environmentVariables") or {},
        "compute": given.get("compute"),
        "errorThreshold": _number(given, "errorThreshold", -1, at_least=-1),
        "retrySettings": {**_RETRIES, **_present(given.get("retrySettings"))},
        "miniBatchSize": _number(given, "miniBatchSize", 10, at_least=1),
        "loggingLevel": _word(given, "loggingLevel", "Info", _LOGGING),
        "model": given.get("model"),
        "maxConcurrencyPerInstance": _number(given, "maxConcurrencyPerInstance", 1, at_least=1),
        "outputAction": _word(given, "outputAction", "AppendRow", _ACTIONS),
        "outputFileName": given.get("outputFileName") or "predictions.csv",
        "resources": {
            "instanceCount": resources.get("instanceCount") or 1,
            "instanceType": resources.get("instanceType"),
            "properties": resources.get("properties") or None,
        },
    }


def deployment_body(endpoint: BatchEndpoint, deployment: BatchDeployment) -> Json:
    """The deployment."""
    return {
        "id": f"{endpoint.arm_id}/deployments/{deployment.name}",
        "name": deployment.name,
        "type": f"{PROVIDER}/workspaces/batchEndpoints/deployments",
        "properties": {**deployment.properties, "provisioningState": deployment.state},
        "systemData": inference_system_data(deployment.created, deployment.modified),
        "tags": deployment.tags,
        "location": deployment.location,
    }


def job_body(endpoint: BatchEndpoint, job: BatchJob, status: str, base_url: str) -> Json:
    """A job as a call of the endpoint and the list of its jobs show it."""
    deployment = f"{endpoint.arm_id}/deployments/{job.deployment}"
    scope = endpoint.scope
    places = {
        "Tracking": f"azureml://{base_url.removeprefix('https://')}/mlflow/v1.0{scope.arm_id}?",
        "Studio": f"{base_url}/runs/{job.name}?wsid={scope.arm_id}",
    }
    data = inference_system_data(job.created, job.created)
    return {
        "id": f"{deployment}/jobs/{job.name}",
        "name": job.name,
        "type": f"{PROVIDER}/workspaces/batchEndpoints/deployments/jobs",
        "properties": {
            "provisioningState": "Succeeded",
            **job.properties,
            "status": status,
            "interactionEndpoints": {
                kind: {"jobEndpointType": kind, "port": None, "endpoint": place, "properties": None}
                for kind, place in places.items()
            },
        },
        "systemData": {**data, "lastModifiedBy": "localcloud"},
    }


def _present(given: Json | None) -> Json:
    return {name: value for name, value in (given or {}).items() if value is not None}


def _number(given: Json, field: str, default: int, *, at_least: int) -> int:
    value = given.get(field)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise invalid(f"{field} must be a whole number from {at_least} up, not {value!r}.", field=field)
    return value


def _word(given: Json, field: str, default: str, words: dict[str, str]) -> str:
    value = str(given.get(field) or default)
    if (known := words.get(value.lower())) is None:
        raise invalid(f"{field} must be one of {', '.join(words.values())}, not {value!r}.", field=field)
    return known
