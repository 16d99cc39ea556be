"""The management plane as `GET /localcloud` shows it: endpoints, deployments and operations, newest first."""

from __future__ import annotations

from collections.abc import Sequence

from localcloud.arm.batch_records import BatchDeployment
from localcloud.arm.operations import Operations
from localcloud.arm.store import Store
from localcloud.seams import Cloud, Json

_OPERATIONS = 50
_NONE: Sequence[BatchDeployment | None] = (None,)


def add_sections(cloud: Cloud, store: Store, operations: Operations) -> None:
    """Put the sections on the page."""
    cloud.inspections |= {
        "Endpoints": lambda: _endpoints(cloud, store),
        "Deployments": lambda: _deployments(store),
        "Batch deployments": lambda: _batch_deployments(store),
        "Operations": lambda: _operations(operations),
    }


def _endpoints(cloud: Cloud, store: Store) -> list[Json]:
    return [
        {
            "endpoint": endpoint.name,
            "state": endpoint.state,
            "traffic": {name: f"{percent} %" for name, percent in endpoint.traffic.items()},
            "mirror": {name: f"{percent} %" for name, percent in endpoint.mirror.items()},
            "auth": endpoint.auth_mode,
            "scoring URI": cloud.serving.scoring_uri(endpoint.name),
        }
        for endpoint in store.endpoints.values()
    ]


def _deployments(store: Store) -> list[Json]:
    return [
        {
            "endpoint": endpoint.name,
            "deployment": deployment.name,
            "state": deployment.state,
            "traffic": f"{endpoint.traffic.get(deployment.name, 0)} %",
            "mirror": f"{endpoint.mirror.get(deployment.name, 0)} %",
            "instances": str(deployment.instances),
            "model": deployment.properties.get("model") or "",
        }
        for endpoint in store.endpoints.values()
        for deployment in endpoint.deployments.values()
    ]


def _batch_deployments(store: Store) -> list[Json]:
    """One row for each deployment, and one for an endpoint that has none."""
    return [
        {
            "batch endpoint": endpoint.name,
            "state of it": endpoint.state,
            "deployment": deployment.name if deployment else "none",
            "state": deployment.state if deployment else "",
            "default": "yes" if deployment and endpoint.default == deployment.name else "",
            "jobs": str(sum(deployment is not None and job.deployment == deployment.name for job in endpoint.jobs)),
            "model": _model(deployment.properties) if deployment else "",
        }
        for endpoint in store.batch_endpoints.values()
        for deployment in [*endpoint.deployments.values()] or _NONE
    ]


def _model(properties: Json) -> str:
    """Batch deployments refer to their model by an object."""
    model = properties.get("model")
    return str(model.get("assetId") or model.get("path") or "") if isinstance(model, dict) else str(model or "")


def _operations(operations: Operations) -> list[Json]:
    return [
        {
            "started": f"{operation.started:%H:%M:%S}",
            "operation": f"{operation.method.upper()} {_in_workspace(operation.resource_id)}",
            "status": operation.status,
            "error": (operation.error or {}).get("message", ""),
        }
        for operation in operations.newest_first()[:_OPERATIONS]
    ]


def _in_workspace(resource_id: str) -> str:
    """What is left of an id without its workspace."""
    return resource_id.rpartition("/workspaces/")[2].partition("/")[2]
