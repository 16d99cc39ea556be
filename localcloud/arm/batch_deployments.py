"""Batch deployments: how files are scored (model, script, mini batches, retries). Nothing runs until a job does."""

from __future__ import annotations

from aiohttp import web

from localcloud.arm.asset_files import AssetFiles
from localcloud.arm.batch_bodies import deployment_body, deployment_properties
from localcloud.arm.batch_endpoints import BatchEndpoints
from localcloud.arm.batch_records import BatchDeployment, BatchEndpoint
from localcloud.arm.durations import seconds_of
from localcloud.arm.envelope import invalid
from localcloud.arm.operations import Operation, Operations
from localcloud.arm.paths import WORKSPACE, any_case
from localcloud.arm.quota import check_new_deployment
from localcloud.arm.requests import json_body, merged, refuse_other_fields
from localcloud.arm.store import Store
from localcloud.arm.traffic_rules import check_name
from localcloud.seams import AzureError, Cloud, Json, utc_now


class BatchDeployments:
    """The handlers of `batchEndpoints/{endpoint}/deployments`."""

    def __init__(
        self, cloud: Cloud, store: Store, operations: Operations, endpoints: BatchEndpoints, files: AssetFiles
    ) -> None:
        self._cloud, self._store, self._operations = cloud, store, operations
        self._endpoints, self._files = endpoints, files

    def add_routes(self, app: web.Application) -> None:
        """Azure's own paths."""
        every = f"{WORKSPACE}/batchEndpoints/{{endpoint}}/deployments"
        one = f"{every}/{{deployment}}"
        app.router.add_get(any_case(every), self.list_all)
        app.router.add_get(any_case(one), self.get)
        app.router.add_put(any_case(one), self.put)
        app.router.add_patch(any_case(one), self.patch)
        app.router.add_delete(any_case(one), self.delete)

    def _find(self, request: web.Request) -> tuple[BatchEndpoint, BatchDeployment]:
        endpoint, name = self._endpoints.find(request), request.match_info["deployment"]
        if deployment := endpoint.deployments.get(name.lower()):
            return endpoint, deployment
        raise AzureError(404, "ResourceNotFound", f"Deployment '{name}' of endpoint '{endpoint.name}' was not found.")

    async def list_all(self, request: web.Request) -> web.Response:
        """GET deployments."""
        endpoint = self._endpoints.find(request)
        bodies = [deployment_body(endpoint, deployment) for deployment in endpoint.deployments.values()]
        return web.json_response({"value": bodies})

    async def get(self, request: web.Request) -> web.Response:
        """GET one."""
        return web.json_response(deployment_body(*self._find(request)))

    async def put(self, request: web.Request) -> web.Response:
        """PUT one: a full replace; the model and the code that it names must be there."""
        body, endpoint = await json_body(request), self._endpoints.find(request)
        name = request.match_info["deployment"]
        known = endpoint.deployments.get(name.lower())
        self._operations.refuse_overlap(f"{endpoint.arm_id}/deployments/{name}", endpoint.arm_id)
        if not endpoint.ever_succeeded or endpoint.state == "Deleting":
            raise invalid("This endpoint has not been created successfully or is in deleting provisioning state.")
        properties = deployment_properties(body.get("properties") or {})
        self._check(endpoint, properties)
        if known is None:
            check_name(name, "deployment")
            check_new_deployment(self._store, self._cloud.settings, endpoint)
        location = str(body.get("location") or endpoint.location)
        deployment = known or BatchDeployment(name, properties, {}, location)
        deployment.properties, deployment.tags = properties, body.get("tags") or {}
        endpoint.deployments[name.lower()] = deployment
        operation = self._start(request, endpoint, deployment)
        headers = self._operations.headers(operation, request)
        return web.json_response(deployment_body(endpoint, deployment), status=201, headers=headers)

    def _check(self, endpoint: BatchEndpoint, properties: Json) -> None:
        model = (properties["model"] or {}).get("assetId")
        if not model:
            raise invalid("A batch deployment needs a model by its id (pipeline components cannot run here).")
        if not properties["compute"]:
            raise invalid("A batch deployment needs a compute.", field="compute")
        if seconds_of(str(properties["retrySettings"]["timeout"]), "timeout") <= 0:
            raise invalid("The timeout of a mini batch must be longer than nothing.", field="timeout")
        self._files.model(endpoint.scope, str(model))
        if code := (properties["codeConfiguration"] or {}).get("codeId"):
            self._files.code(endpoint.scope, str(code))

    async def patch(self, request: web.Request) -> web.Response:
        """PATCH one: tags and description."""
        endpoint, deployment = self._find(request)
        body = await json_body(request)
        refuse_other_fields(body, ("tags", "properties"))
        properties = body.get("properties") or {}
        refuse_other_fields(properties, ("description",))
        self._operations.refuse_overlap(f"{endpoint.arm_id}/deployments/{deployment.name}", endpoint.arm_id)
        deployment.tags = merged(deployment.tags, body.get("tags"))
        deployment.properties = {**deployment.properties, **properties}
        operation = self._start(request, endpoint, deployment)
        return self._operations.accepted_patch(operation, request, lambda: deployment_body(endpoint, deployment))

    def _start(self, request: web.Request, endpoint: BatchEndpoint, deployment: BatchDeployment) -> Operation:
        deployment.state = "Updating"

        async def work() -> None:
            deployment.state, deployment.ever_succeeded, deployment.modified = "Succeeded", True, utc_now()

        def fail(state: str) -> None:
            deployment.state = state

        resource_id, method = f"{endpoint.arm_id}/deployments/{deployment.name}", request.method.capitalize()
        return self._operations.start("bdbes", resource_id, method, self._cloud.settings.endpoint_seconds, work, fail)

    async def delete(self, request: web.Request) -> web.Response:
        """DELETE one; the default one is refused. 204 when there is none."""
        endpoint = self._endpoints.find(request)
        name = request.match_info["deployment"].lower()
        deployment = endpoint.deployments.get(name)
        if deployment is None:
            return web.Response(status=204)
        resource_id = f"{endpoint.arm_id}/deployments/{deployment.name}"
        self._operations.refuse_overlap(resource_id, endpoint.arm_id)
        if endpoint.default == deployment.name:
            raise invalid(f"Can't delete deployment [{deployment.name}], which is the endpoint's default one")
        deployment.state = "Deleting"

        async def remove() -> None:
            del endpoint.deployments[name]

        def fail(state: str) -> None:
            deployment.state = state

        seconds = self._cloud.settings.delete_seconds
        operation = self._operations.start("bdbes", resource_id, "Delete", seconds, remove, fail)
        return web.json_response(None, status=202, headers=self._operations.headers(operation, request))
