"""Batch endpoints: create, update (a full replace), the switch of the default deployment, delete.

There is no split and no mirror: the default deployment takes every call that is not pinned by a header. A switch is
applied when its operation ends. That the default deployment cannot be deleted is UNCONFIRMED in Azure; here it is
refused, so that nobody relies on it.
"""

from __future__ import annotations

from aiohttp import web

from localcloud.arm.batch_bodies import endpoint_body, user_properties
from localcloud.arm.batch_records import BatchEndpoint
from localcloud.arm.envelope import invalid
from localcloud.arm.operations import Operation, Operations, Work
from localcloud.arm.paths import WORKSPACE, any_case, scope_of
from localcloud.arm.quota import check_new_endpoint
from localcloud.arm.requests import json_body, merged, refuse_other_fields
from localcloud.arm.store import Store
from localcloud.arm.traffic_rules import check_name
from localcloud.seams import AzureError, Cloud, Json, utc_now


class BatchEndpoints:
    """The handlers of `batchEndpoints`, and what its deployments and jobs need of an endpoint."""

    def __init__(self, cloud: Cloud, store: Store, operations: Operations) -> None:
        self._cloud, self._store, self._operations = cloud, store, operations

    def add_routes(self, app: web.Application) -> None:
        """Azure's own paths."""
        one = f"{WORKSPACE}/batchEndpoints/{{endpoint}}"
        app.router.add_get(any_case(f"{WORKSPACE}/batchEndpoints"), self.list_all)
        app.router.add_get(any_case(one), self.get)
        app.router.add_put(any_case(one), self.put)
        app.router.add_patch(any_case(one), self.patch)
        app.router.add_delete(any_case(one), self.delete)

    def find(self, request: web.Request) -> BatchEndpoint:
        """The endpoint of the path, or Azure's 404."""
        name = request.match_info["endpoint"]
        if endpoint := self._store.batch_endpoints.get(self._key(request)):
            return endpoint
        raise AzureError(404, "ResourceNotFound", f"The batch endpoint '{name}' was not found in this workspace.")

    def _key(self, request: web.Request) -> str:
        scope = scope_of(request.match_info, self._cloud.settings)
        return f"{scope.arm_id}/batchEndpoints/{request.match_info['endpoint']}".lower()

    def _body(self, endpoint: BatchEndpoint) -> Json:
        return endpoint_body(endpoint, f"{self._cloud.base_url}/batch/{endpoint.name}/jobs")

    async def list_all(self, request: web.Request) -> web.Response:
        """GET batchEndpoints."""
        scope = scope_of(request.match_info, self._cloud.settings)
        found = [endpoint for endpoint in self._store.batch_endpoints.values() if endpoint.scope == scope]
        return web.json_response({"value": [self._body(endpoint) for endpoint in found]})

    async def get(self, request: web.Request) -> web.Response:
        """GET one."""
        return web.json_response(self._body(self.find(request)))

    async def put(self, request: web.Request) -> web.Response:
        """PUT one: 201 now, the default deployment of the body when the operation ends."""
        body, key = await json_body(request), self._key(request)
        known = self._store.batch_endpoints.get(key)
        properties = body.get("properties") or {}
        if str(properties.get("authMode") or "aadToken").lower() != "aadtoken":
            raise invalid("Batch endpoints take Microsoft Entra tokens only: authMode must be AADToken.")
        default = _default(known, (properties.get("defaults") or {}).get("deploymentName"))
        if known:
            self._operations.refuse_overlap(known.arm_id, known.arm_id)
        else:
            check_name(request.match_info["endpoint"], "endpoint")
            check_new_endpoint(self._store, self._cloud.settings, request.match_info["endpoint"])
        endpoint = known or self._create(request, body)
        endpoint.tags, endpoint.description = body.get("tags") or {}, properties.get("description")
        endpoint.user_properties = user_properties(properties.get("properties"))

        async def apply() -> None:
            endpoint.default = default

        operation = self._start(request, endpoint, apply)
        headers = self._operations.headers(operation, request)
        return web.json_response(self._body(endpoint), status=201, headers=headers)

    def _create(self, request: web.Request, body: Json) -> BatchEndpoint:
        scope = scope_of(request.match_info, self._cloud.settings)
        location = str(body.get("location") or self._cloud.settings.region)
        version = request.query.get("api-version", "2023-10-01")
        endpoint = BatchEndpoint(scope, request.match_info["endpoint"], location, version)
        self._store.batch_endpoints[self._key(request)] = endpoint
        return endpoint

    async def patch(self, request: web.Request) -> web.Response:
        """PATCH one: tags and identity only; the identity is accepted and unused, as a batch endpoint has none."""
        endpoint, body = self.find(request), await json_body(request)
        refuse_other_fields(body, ("tags", "identity"))
        self._operations.refuse_overlap(endpoint.arm_id, endpoint.arm_id)

        async def apply() -> None:
            endpoint.tags = merged(endpoint.tags, body.get("tags"))

        operation = self._start(request, endpoint, apply)
        return self._operations.accepted_patch(operation, request, lambda: self._body(endpoint))

    def _start(self, request: web.Request, endpoint: BatchEndpoint, apply: Work) -> Operation:
        endpoint.state = "Updating" if endpoint.ever_succeeded else "Creating"

        async def work() -> None:
            await apply()
            endpoint.state, endpoint.ever_succeeded, endpoint.modified = "Succeeded", True, utc_now()

        def fail(state: str) -> None:
            endpoint.state = state

        seconds, method = self._cloud.settings.endpoint_seconds, request.method.capitalize()
        operation = self._operations.start("be", endpoint.arm_id, method, seconds, work, fail)
        endpoint.operation_uri = self._operations.uri(operation, request)
        endpoint.modified = utc_now()
        return operation

    async def delete(self, request: web.Request) -> web.Response:
        """DELETE one with all its deployments; jobs under way go on. 204 when there is none."""
        key = self._key(request)
        endpoint = self._store.batch_endpoints.get(key)
        if endpoint is None:
            return web.Response(status=204)
        self._operations.refuse_overlap(endpoint.arm_id, endpoint.arm_id, whole=True)
        endpoint.state = "Deleting"

        async def remove() -> None:
            del self._store.batch_endpoints[key]

        def fail(state: str) -> None:
            endpoint.state = state

        seconds = self._cloud.settings.delete_seconds
        operation = self._operations.start("be", endpoint.arm_id, "Delete", seconds, remove, fail)
        endpoint.operation_uri = self._operations.uri(operation, request)
        return web.json_response(None, status=202, headers=self._operations.headers(operation, request))


def _default(endpoint: BatchEndpoint | None, name: str | None) -> str | None:
    """The deployment that a PUT makes the default one, which must be there and provisioned."""
    if not name:
        return None
    deployment = endpoint.deployments.get(name.lower()) if endpoint else None
    if deployment is None or not deployment.ever_succeeded:
        raise invalid(f"Deployment [{name}] was not found under this endpoint, or is not provisioned yet.")
    return deployment.name
