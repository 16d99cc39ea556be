"""Online deployments: what Azure refuses at once, and the operation that really starts the model.

An operation's failure is the deployment's: its state is Failed, the error sits in the operation's status body, and a
first provisioning that failed cannot be repaired, only deleted.
"""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from localcloud.arm.asset_files import AssetFiles, LocalAsset
from localcloud.arm.data_collector import collector_of
from localcloud.arm.durations import seconds_of
from localcloud.arm.envelope import invalid
from localcloud.arm.online_bodies import deployment_body, deployment_properties, user_properties
from localcloud.arm.online_endpoints import OnlineEndpoints
from localcloud.arm.operations import Operation, Operations
from localcloud.arm.paths import WORKSPACE, any_case
from localcloud.arm.quota import check_new_deployment, check_quota, quota_refusal
from localcloud.arm.requests import json_body, merged, refuse_other_fields
from localcloud.arm.store import Deployment, Endpoint, Store
from localcloud.arm.traffic_rules import check_name
from localcloud.seams import AzureError, Cloud, Json, ServingSpec, utc_now

MAX_TIMEOUT_SECONDS = 180.0


class OnlineDeployments:
    """The handlers of `onlineEndpoints/{endpoint}/deployments`."""

    def __init__(
        self, cloud: Cloud, store: Store, operations: Operations, endpoints: OnlineEndpoints, files: AssetFiles
    ) -> None:
        self._cloud, self._store, self._operations = cloud, store, operations
        self._endpoints, self._files = endpoints, files

    def add_routes(self, app: web.Application) -> None:
        """Azure's own paths."""
        every = f"{WORKSPACE}/onlineEndpoints/{{endpoint}}/deployments"
        one = f"{every}/{{deployment}}"
        app.router.add_get(any_case(every), self.list_all)
        app.router.add_get(any_case(one), self.get)
        app.router.add_put(any_case(one), self.put)
        app.router.add_patch(any_case(one), self.patch)
        app.router.add_delete(any_case(one), self.delete)
        app.router.add_post(any_case(f"{one}/getLogs"), self.logs)

    def _find(self, request: web.Request) -> tuple[Endpoint, Deployment]:
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
        """PUT one: a full replace, checked first, then provisioned by an operation."""
        body, endpoint = await json_body(request), self._endpoints.find(request)
        name = request.match_info["deployment"]
        known = endpoint.deployments.get(name.lower())
        resource_id = f"{endpoint.arm_id}/deployments/{name}"
        self._check_endpoint(endpoint)
        self._operations.refuse_overlap(resource_id, endpoint.arm_id)
        properties = deployment_properties(body.get("properties") or {})
        sku = {key: value for key, value in (body.get("sku") or {}).items() if value is not None}
        wanted = Deployment(
            name=known.name if known else name,
            properties=properties,
            sku={"name": "Default", "capacity": 1, **sku},
            tags=body.get("tags") or {},
            location=str(body.get("location") or endpoint.location),
            identity=body.get("identity"),
            user_properties=user_properties((body.get("properties") or {}).get("properties")),
        )
        if known is None:
            check_name(name, "deployment")
            check_new_deployment(self._store, self._cloud.settings, endpoint)
        operation = self._replace(request, endpoint, known, wanted)
        headers = self._operations.headers(operation, request)
        return web.json_response(deployment_body(endpoint, wanted), status=201, headers=headers)

    async def patch(self, request: web.Request) -> web.Response:
        """PATCH one (REST only, the SDK never sends it): tags and sku; another capacity scales it."""
        endpoint, known = self._find(request)
        body = await json_body(request)
        refuse_other_fields(body, ("tags", "sku"))
        self._operations.refuse_overlap(f"{endpoint.arm_id}/deployments/{known.name}", endpoint.arm_id)
        self._check_endpoint(endpoint)
        sku = merged(known.sku, body.get("sku"))
        state = "Scaling" if sku != known.sku else "Updating"
        wanted = replace(known, tags=merged(known.tags, body.get("tags")), sku=sku, state=state)
        operation = self._replace(request, endpoint, known, wanted)
        return self._operations.accepted_patch(operation, request, lambda: deployment_body(endpoint, wanted))

    def _replace(
        self, request: web.Request, endpoint: Endpoint, known: Deployment | None, wanted: Deployment
    ) -> Operation:
        self._check(endpoint, known, wanted)
        assets = self._files_of(endpoint, wanted)
        spec = self._spec(endpoint, wanted, *assets)
        deployment = self._store_wanted(endpoint, known, wanted)
        return self._start(request, endpoint, deployment, spec, assets)

    @staticmethod
    def _check_endpoint(endpoint: Endpoint) -> None:
        if endpoint.state not in ("Succeeded", "Updating") or not endpoint.ever_succeeded:
            raise invalid(
                "This endpoint has not been created successfully or is in deleting provisioning state. "
                "Please recreate endpoint and then try again to create deployment."
            )

    def _check(self, endpoint: Endpoint, known: Deployment | None, wanted: Deployment) -> None:
        if known and known.state == "Failed" and not known.ever_succeeded:
            raise invalid(
                f"Specified deployment [{known.name}] failed during initial provisioning and is in an unrecoverable "
                "state. Delete and re-create."
            )
        egress = "egressPublicNetworkAccess"
        if known and known.properties[egress] != wanted.properties[egress]:
            raise invalid("egressPublicNetworkAccess cannot be changed after the deployment was created.", field=egress)
        if not wanted.properties["instanceType"]:
            raise invalid("The instance type is required for a managed deployment.", field="InstanceType")
        most = self._cloud.settings.instances_per_deployment
        if not 1 <= wanted.instances <= most:
            raise invalid(f"The capacity must be from 1 to {most}.", field="Capacity")
        timeout = seconds_of(wanted.properties["requestSettings"]["requestTimeout"], "RequestTimeout")
        if not 0 < timeout <= MAX_TIMEOUT_SECONDS:
            raise invalid(f"The request timeout can be at most {MAX_TIMEOUT_SECONDS:g} s.", field="RequestTimeout")
        self._check_quota(endpoint, wanted)

    def _check_quota(self, endpoint: Endpoint, wanted: Deployment) -> None:
        subject = f"PUT {endpoint.arm_id}/deployments/{wanted.name}"
        if (refused := self._cloud.faults.take("quota.refused", subject)) is not None:
            raise quota_refusal(str(refused.get("message") or "Not enough quota available (as scripted)."))
        size = str(wanted.properties["instanceType"])
        key = endpoint.arm_id.lower()
        check_quota(self._store, self._cloud.settings, key, wanted.name, size, wanted.instances)

    def _files_of(self, endpoint: Endpoint, wanted: Deployment) -> tuple[LocalAsset | None, LocalAsset | None]:
        """The model's and the code's files, still to be fetched; refuses ids that name nothing."""
        model_id = wanted.properties["model"]
        code_id = (wanted.properties["codeConfiguration"] or {}).get("codeId")
        model = self._files.model(endpoint.scope, model_id) if model_id else None
        return model, self._files.code(endpoint.scope, code_id) if code_id else None

    def _spec(
        self, endpoint: Endpoint, wanted: Deployment, model: LocalAsset | None, code: LocalAsset | None
    ) -> ServingSpec:
        """What to serve, once the folders are filled."""
        properties = wanted.properties
        requests = properties["requestSettings"]
        return ServingSpec(
            resource_id=endpoint.arm_id.lower(),
            endpoint=endpoint.name,
            deployment=wanted.name,
            model_path=model.folder if model else self._files.empty_folder(),
            model_name=model.name if model else "",
            model_version=model.version if model else "",
            code_path=code.folder if code else None,
            scoring_script=(properties["codeConfiguration"] or {}).get("scoringScript"),
            environment_variables={k: str(v) for k, v in properties["environmentVariables"].items()},
            instance_count=wanted.instances,
            max_concurrent_requests_per_instance=int(requests["maxConcurrentRequestsPerInstance"] or 1),
            request_timeout_seconds=seconds_of(requests["requestTimeout"], "RequestTimeout"),
            collector=collector_of(endpoint, wanted, self._files),
        )

    @staticmethod
    def _store_wanted(endpoint: Endpoint, known: Deployment | None, wanted: Deployment) -> Deployment:
        if known:
            wanted.created, wanted.ever_succeeded = known.created, known.ever_succeeded
        endpoint.deployments[wanted.name.lower()] = wanted
        return wanted

    def _start(
        self,
        request: web.Request,
        endpoint: Endpoint,
        deployment: Deployment,
        spec: ServingSpec,
        assets: tuple[LocalAsset | None, LocalAsset | None],
    ) -> Operation:
        resource_id = f"{endpoint.arm_id}/deployments/{deployment.name}"

        async def provision() -> None:
            for asset in assets:
                if asset:
                    deployment.fetched.append(f"Downloading {asset.name}:{asset.version} from {asset.uri}")
                    await self._files.fetch(asset)
            await self._cloud.serving.start_deployment(spec)
            deployment.state, deployment.ever_succeeded, deployment.modified = "Succeeded", True, utc_now()

        def fail(state: str) -> None:
            deployment.state = state

        seconds = self._cloud.settings.deployment_seconds
        method = request.method.capitalize()
        operation = self._operations.start("od", resource_id, method, seconds, provision, fail)
        deployment.operation_uri = self._operations.uri(operation, request)
        return operation

    async def delete(self, request: web.Request) -> web.Response:
        """DELETE one: refused while it takes live or mirrored traffic. 204 when there is none."""
        endpoint = self._endpoints.find(request)
        deployment = endpoint.deployments.get(request.match_info["deployment"].lower())
        if deployment is None:
            return web.Response(status=204)
        name = deployment.name
        resource_id = f"{endpoint.arm_id}/deployments/{name}"
        self._operations.refuse_overlap(resource_id, endpoint.arm_id)
        if endpoint.traffic.get(name, 0) > 0 or endpoint.mirror.get(name, 0) > 0:
            raise invalid(f"Can't delete deployment [{name}] with non-zero traffic weight")
        deployment.state = "Deleting"

        async def remove() -> None:
            await self._cloud.serving.stop_deployment(endpoint.name, name)
            del endpoint.deployments[name.lower()]
            endpoint.traffic.pop(name, None)
            endpoint.mirror.pop(name, None)

        def fail(state: str) -> None:
            deployment.state = state

        seconds = self._cloud.settings.delete_seconds
        operation = self._operations.start("od", resource_id, "Delete", seconds, remove, fail)
        deployment.operation_uri = self._operations.uri(operation, request)
        return web.json_response(None, status=202, headers=self._operations.headers(operation, request))

    async def logs(self, request: web.Request) -> web.Response:
        """POST getLogs: the last lines of the model's container, or of the one that fetched the model."""
        endpoint, deployment = self._find(request)
        body = await json_body(request)
        tail = int(body.get("tail") or 50)
        if str(body.get("containerType") or "").lower() == "storageinitializer":
            content = "".join(f"{line}\n" for line in deployment.fetched[-tail:])
        else:
            content = await self._cloud.serving.container_log(endpoint.name, deployment.name, tail)
        return web.json_response({"content": content})

    def inspect(self) -> list[Json]:
        """For the capacity metrics: what each deployment holds now."""
        return [
            {
                "resource_id": endpoint.arm_id.lower(),
                "deployment": deployment.name,
                "instances": deployment.instances,
                "state": deployment.state,
                "instance_type": deployment.properties.get("instanceType", ""),
            }
            for endpoint in self._store.endpoints.values()
            for deployment in endpoint.deployments.values()
        ]
