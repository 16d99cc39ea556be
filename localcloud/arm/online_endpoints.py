"""Online endpoints: create, update (a full replace), traffic and mirror, keys and tokens, delete.

The traffic of a PUT is applied when its operation ends; until then every reply, the PUT's own included, shows the old
split. A controller that reads success from the PUT reply is wrong on Azure, so it is wrong here.
"""

from __future__ import annotations

import secrets
from typing import Any

from aiohttp import web

from localcloud.arm.online_bodies import endpoint_body, user_properties
from localcloud.arm.operations import Operations
from localcloud.arm.paths import WORKSPACE, any_case, scope_of
from localcloud.arm.quota import check_new_endpoint
from localcloud.arm.requests import json_body, merged, refuse_other_fields
from localcloud.arm.store import Endpoint, Store
from localcloud.arm.traffic_rules import check_name, check_split, percentages
from localcloud.seams import AzureError, Cloud, EndpointRoutes, Json, utc_now

_AUTH_MODES = {"key": "Key", "amltoken": "AMLToken", "aadtoken": "AADToken"}
_TOKEN_LIFETIME, _TOKEN_REFRESH = 24 * 3600, 12 * 3600


class OnlineEndpoints:
    """The handlers of `onlineEndpoints` and what the deployments' handlers need of an endpoint."""

    def __init__(self, cloud: Cloud, store: Store, operations: Operations) -> None:
        self._cloud, self._store, self._operations = cloud, store, operations

    def add_routes(self, app: web.Application) -> None:
        """Azure's own paths."""
        one = f"{WORKSPACE}/onlineEndpoints/{{endpoint}}"
        app.router.add_get(any_case(f"{WORKSPACE}/onlineEndpoints"), self.list_all)
        app.router.add_get(any_case(one), self.get)
        app.router.add_put(any_case(one), self.put)
        app.router.add_patch(any_case(one), self.patch)
        app.router.add_delete(any_case(one), self.delete)
        app.router.add_post(any_case(f"{one}/listKeys"), self.list_keys)
        app.router.add_post(any_case(f"{one}/regenerateKeys"), self.regenerate_keys)
        app.router.add_post(any_case(f"{one}/token"), self.token)

    def find(self, request: web.Request) -> Endpoint:
        """The endpoint of the path, or Azure's 404."""
        name = request.match_info["endpoint"]
        if endpoint := self._store.endpoints.get(self._key(request)):
            return endpoint
        raise AzureError(
            404,
            "ResourceNotFound",
            f"The online endpoint '{name}' was not found in workspace '{request.match_info['workspace']}'.",
        )

    def _key(self, request: web.Request) -> str:
        scope = scope_of(request.match_info, self._cloud.settings)
        return f"{scope.arm_id}/onlineEndpoints/{request.match_info['endpoint']}".lower()

    def _body(self, endpoint: Endpoint) -> Json:
        uri = self._cloud.serving.scoring_uri(endpoint.name)
        return endpoint_body(endpoint, uri, self._cloud.settings.tenant_id)

    async def list_all(self, request: web.Request) -> web.Response:
        """GET onlineEndpoints."""
        scope = scope_of(request.match_info, self._cloud.settings)
        found = [endpoint for endpoint in self._store.endpoints.values() if endpoint.scope == scope]
        return web.json_response({"value": [self._body(endpoint) for endpoint in found]})

    async def get(self, request: web.Request) -> web.Response:
        """GET one."""
        return web.json_response(self._body(self.find(request)))

    async def put(self, request: web.Request) -> web.Response:
        """PUT one: checks everything that Azure checks synchronously, then starts the operation."""
        body, name = await json_body(request), request.match_info["endpoint"]
        known = self._store.endpoints.get(self._key(request))
        if known is None:
            check_name(name, "endpoint")
        properties = body.get("properties") or {}
        deployments = known.deployments if known else {}
        traffic = percentages(properties.get("traffic"), deployments, "Traffic")
        mirror = percentages(properties.get("mirrorTraffic"), deployments, "MirrorTraffic")
        check_split(traffic, mirror)
        auth_mode = _auth_mode(properties.get("authMode"))
        if known:
            self._operations.refuse_overlap(known.arm_id, known.arm_id)
        else:
            check_new_endpoint(self._store, self._cloud.settings, name)
        endpoint = known or self._create(request, body, auth_mode)
        self._replace(endpoint, body, auth_mode)
        return self._start(request, endpoint, traffic, mirror)

    def _create(self, request: web.Request, body: Json, auth_mode: str) -> Endpoint:
        scope = scope_of(request.match_info, self._cloud.settings)
        location = str(body.get("location") or self._cloud.settings.region)
        endpoint = Endpoint(scope, request.match_info["endpoint"], location, auth_mode)
        self._store.endpoints[self._key(request)] = endpoint
        return endpoint

    def _replace(self, endpoint: Endpoint, body: Json, auth_mode: str) -> None:
        """A PUT replaces: what it does not say is gone."""
        properties = body.get("properties") or {}
        endpoint.auth_mode = auth_mode
        endpoint.tags = body.get("tags") or {}
        endpoint.identity = {k: v for k, v in (body.get("identity") or {}).items() if v and k != "principalId"}
        endpoint.description = properties.get("description")
        endpoint.user_properties = user_properties(properties.get("properties"))
        endpoint.public_network_access = str(properties.get("publicNetworkAccess") or "Enabled").capitalize()

    def _start(
        self, request: web.Request, endpoint: Endpoint, traffic: dict[str, int], mirror: dict[str, int]
    ) -> web.Response:
        settings = self._cloud.settings
        first = not endpoint.ever_succeeded
        endpoint.state = "Creating" if first else "Updating"

        async def apply() -> None:
            await self._publish(endpoint, traffic, mirror)
            endpoint.traffic, endpoint.mirror = traffic, mirror
            endpoint.state, endpoint.ever_succeeded, endpoint.modified = "Succeeded", True, utc_now()
            if mirror and self._cloud.faults.take("mirror.dropped", f"PUT {endpoint.arm_id}") is not None:
                # Another writer, with an SDK that does not know mirrorTraffic, replaces the endpoint.
                await self._publish(endpoint, traffic, {})
                endpoint.mirror = {}

        def fail(state: str) -> None:
            endpoint.state = state

        seconds = settings.endpoint_seconds if first else settings.traffic_seconds
        operation = self._operations.start("oe", endpoint.arm_id, "Put", seconds, apply, fail)
        endpoint.operation_uri = self._operations.uri(operation, request)
        endpoint.modified = utc_now()
        headers = self._operations.headers(operation, request)
        return web.json_response(self._body(endpoint), status=201, headers=headers)

    async def patch(self, request: web.Request) -> web.Response:
        """PATCH one: tags and identity only, merged (the SDK never sends it; the REST reference has it)."""
        endpoint, body = self.find(request), await json_body(request)
        refuse_other_fields(body, ("tags", "identity"))
        self._operations.refuse_overlap(endpoint.arm_id, endpoint.arm_id)
        before, endpoint.state = endpoint.state, "Updating"

        async def apply() -> None:
            endpoint.tags = merged(endpoint.tags, body.get("tags"))
            endpoint.identity = {**endpoint.identity, **(body.get("identity") or {})}
            endpoint.state, endpoint.modified = before, utc_now()

        def fail(state: str) -> None:
            endpoint.state = state

        seconds = self._cloud.settings.endpoint_seconds
        operation = self._operations.start("oe", endpoint.arm_id, "Patch", seconds, apply, fail)
        endpoint.operation_uri = self._operations.uri(operation, request)
        return self._operations.accepted_patch(operation, request, lambda: self._body(endpoint))

    async def publish_routes(self, endpoint: Endpoint) -> None:
        """Tell the scoring front what holds now (after a change of keys or deployments)."""
        await self._publish(endpoint, endpoint.traffic, endpoint.mirror)

    async def _publish(self, endpoint: Endpoint, traffic: dict[str, int], mirror: dict[str, int]) -> None:
        keys = (endpoint.primary_key, endpoint.secondary_key) if endpoint.auth_mode == "Key" else ()
        routes = EndpointRoutes(
            resource_id=endpoint.arm_id.lower(),
            endpoint=endpoint.name,
            workspace=endpoint.scope.name,
            workspace_id=self._store.workspace_id,
            auth_mode=endpoint.auth_mode,
            keys=keys or tuple(endpoint.tokens),
            traffic=dict(traffic),
            mirror=dict(mirror),
        )
        await self._cloud.serving.set_routes(routes)

    async def delete(self, request: web.Request) -> web.Response:
        """DELETE one: all its deployments go with it, whatever their traffic. 204 when there is none."""
        key = self._key(request)
        endpoint = self._store.endpoints.get(key)
        if endpoint is None:
            return web.Response(status=204)
        self._operations.refuse_overlap(endpoint.arm_id, endpoint.arm_id, whole=True)
        endpoint.state = "Deleting"

        async def remove() -> None:
            await self._cloud.serving.remove_endpoint(endpoint.name)
            for deployment in list(endpoint.deployments.values()):
                await self._cloud.serving.stop_deployment(endpoint.name, deployment.name)
            del self._store.endpoints[key]

        def fail(state: str) -> None:
            endpoint.state = state

        seconds = self._cloud.settings.delete_seconds
        operation = self._operations.start("oe", endpoint.arm_id, "Delete", seconds, remove, fail)
        endpoint.operation_uri = self._operations.uri(operation, request)
        return web.json_response(None, status=202, headers=self._operations.headers(operation, request))

    async def list_keys(self, request: web.Request) -> web.Response:
        """POST listKeys."""
        endpoint = self.find(request)
        if endpoint.auth_mode != "Key":
            raise AzureError(400, "BadRequest", f"The endpoint's auth mode is {endpoint.auth_mode}; it has no keys.")
        return web.json_response({"primaryKey": endpoint.primary_key, "secondaryKey": endpoint.secondary_key})

    async def regenerate_keys(self, request: web.Request) -> web.Response:
        """POST regenerateKeys: 202, then an operation; the old key works until it ends."""
        endpoint, body = self.find(request), await json_body(request)
        self._operations.refuse_overlap(endpoint.arm_id, endpoint.arm_id)
        which = "secondary_key" if str(body.get("keyType", "")).lower() == "secondary" else "primary_key"
        asked = str(body.get("keyValue") or "")
        # The SDK sends the present value along, which must still end in a new one.
        value = asked if asked and asked != getattr(endpoint, which) else secrets.token_urlsafe(24)

        async def change() -> None:
            setattr(endpoint, which, value)
            await self.publish_routes(endpoint)

        seconds = self._cloud.settings.endpoint_seconds
        operation = self._operations.start("oe", endpoint.arm_id, "Post", seconds, change, lambda _: None)
        return web.json_response(None, status=202, headers=self._operations.headers(operation, request))

    async def token(self, request: web.Request) -> web.Response:
        """POST token: a new one for an AMLToken endpoint; earlier ones stay valid for their time."""
        endpoint = self.find(request)
        if endpoint.auth_mode != "AMLToken":
            raise AzureError(400, "BadRequest", f"The endpoint's auth mode is {endpoint.auth_mode}, not AMLToken.")
        endpoint.tokens.append(secrets.token_urlsafe(32))
        await self.publish_routes(endpoint)
        now = int(utc_now().timestamp())
        body: dict[str, Any] = {
            "accessToken": endpoint.tokens[-1],
            "tokenType": "Bearer",
            "expiryTimeUtc": now + _TOKEN_LIFETIME,
            "refreshAfterTimeUtc": now + _TOKEN_REFRESH,
        }
        return web.json_response(body)


def _auth_mode(given: object) -> str:
    mode = _AUTH_MODES.get(str(given or "Key").lower())
    if mode is None:
        raise AzureError(400, "BadRequest", f"authMode must be one of {', '.join(_AUTH_MODES.values())}, not {given}.")
    return mode
