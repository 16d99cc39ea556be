"""Calls of batch endpoints: each starts a job. Also the lists of those jobs, on the service's own host.

The default deployment serves a call unless `azureml-model-deployment` names another one. A call that is sent again with
the same `repeatability_request-id`, as the SDK does after a lost connection, gets the job that it already has (that
Azure does so too is UNCONFIRMED; two jobs for one call would be worse to test against).
"""

from __future__ import annotations

import uuid
from typing import Any

from aiohttp import web

from localcloud.arm.asset_files import AssetFiles
from localcloud.arm.batch_bodies import deployment_properties, job_body
from localcloud.arm.batch_endpoints import BatchEndpoints
from localcloud.arm.batch_records import BatchDeployment, BatchEndpoint, BatchJob
from localcloud.arm.batch_runner import BatchRun, BatchRunner
from localcloud.arm.envelope import invalid
from localcloud.arm.jobs import Jobs
from localcloud.arm.paths import REGISTRY_HOST, WORKSPACE, any_case, workspace_scope
from localcloud.arm.requests import json_body
from localcloud.arm.store import Job, Store
from localcloud.seams import AzureError, Cloud, Json

_OVERRIDES = ("compute", "errorThreshold", "miniBatchSize", "outputFileName", "retrySettings")
_INPUTS = {"urifile": "UriFile", "urifolder": "UriFolder", "literal": "Literal"}
_DATA_PLANE_VERSION = "2020-09-01-dataplanepreview"


class BatchJobs:
    """The scoring address of batch endpoints, and the lists."""

    def __init__(
        self, cloud: Cloud, store: Store, endpoints: BatchEndpoints, files: AssetFiles, jobs: Jobs, runner: BatchRunner
    ) -> None:
        self._cloud, self._store, self._endpoints = cloud, store, endpoints
        self._files, self._jobs, self._runner = files, jobs, runner

    def add_routes(self, app: web.Application) -> None:
        """The scoring address (Azure has a host per endpoint) and the service's own paths."""
        app.router.add_post("/batch/{endpoint}/jobs", self.invoke)
        base = f"{REGISTRY_HOST}{WORKSPACE}/batchEndpoints/{{endpoint}}"
        app.router.add_get(any_case(f"{base}/jobs"), self.list_jobs)
        app.router.add_get(any_case(f"{base}/deployments/{{deployment}}/jobs"), self.list_jobs)

    async def list_jobs(self, request: web.Request) -> web.Response:
        """GET jobs of an endpoint or of one deployment, newest first."""
        endpoint, wanted = self._endpoints.find(request), request.match_info.get("deployment", "").lower()
        jobs = [job for job in reversed(endpoint.jobs) if wanted in ("", job.deployment.lower())]
        return web.json_response({"value": [self._body(endpoint, job) for job in jobs]})

    def _body(self, endpoint: BatchEndpoint, job: BatchJob) -> Json:
        status = self._store.jobs[(endpoint.scope.key, job.name)].status
        return job_body(endpoint, job, "Preparing" if status == "NotStarted" else status, self._cloud.base_url)

    async def invoke(self, request: web.Request) -> web.Response:
        """POST to the scoring address: 201 with a job that has not begun."""
        if not request.headers.get("Authorization", "").lower().startswith("bearer "):
            raise AzureError(401, "AuthenticationFailed", "A Microsoft Entra token is needed.")
        name = request.match_info["endpoint"]
        key = f"{workspace_scope(self._cloud.settings).arm_id}/batchEndpoints/{name}".lower()
        endpoint = self._store.batch_endpoints.get(key)
        if endpoint is None:
            raise AzureError(404, "UserError", f"The batch endpoint {name} was not found.")
        properties = (await json_body(request)).get("properties") or {}
        deployment = _chosen(endpoint, request.headers.get("azureml-model-deployment"))
        request_id = request.headers.get("repeatability_request-id", "")
        again = [job for job in endpoint.jobs if request_id and job.request_id == request_id]
        job = again[0] if again else self._start(endpoint, deployment, properties, request_id)
        return self._accepted(endpoint, job)

    def _accepted(self, endpoint: BatchEndpoint, job: BatchJob) -> web.Response:
        place = f"{self._cloud.base_url}{REGISTRY_HOST}{endpoint.arm_id}/deployments/{job.deployment}"
        headers = {
            "azureml-model-deployment": job.deployment,
            "Location": f"{place}?api-version={_DATA_PLANE_VERSION}",
            "Server": "azureml-frontdoor",
            "X-Request-ID": str(uuid.uuid4()),
            "x-envoy-upstream-service-time": "1",
        }
        return web.json_response(self._body(endpoint, job), status=201, headers=headers)

    def _start(self, endpoint: BatchEndpoint, deployment: BatchDeployment, given: Json, request_id: str) -> BatchJob:
        folder, file = _output(given.get("outputData"))
        overrides = {name: given[name] for name in _OVERRIDES if name in given}
        settings = {**deployment.properties, **overrides, **({"outputFileName": file} if file else {})}
        run = BatchRun(deployment_properties(settings), _inputs(given.get("inputData")), folder)
        for _, uri in run.inputs:
            self._files.data(endpoint.scope, uri)
        name = str(given.get("name") or f"batchjob-{uuid.uuid4()}")
        if (endpoint.scope.key, name) in self._store.jobs:
            raise AzureError(409, "UserError", f"A job named {name} exists already.")
        shown = _shown(run, given, deployment.name)
        experiment = (given.get("properties") or {}).get("experimentName") or endpoint.name
        properties: Json = {"jobType": "Pipeline", "displayName": name, "experimentName": experiment, "jobs": {}}
        job = Job(
            scope=endpoint.scope,
            name=name,
            properties={**properties, "tags": shown["tags"], "properties": shown["properties"]},
            folder=self._cloud.folder / "jobs" / name,
        )
        self._jobs.start(job, self._runner.run(job, run))
        started = BatchJob(name, deployment.name, request_id, shown)
        endpoint.jobs.append(started)
        return started


def _chosen(endpoint: BatchEndpoint, pinned: str | None) -> BatchDeployment:
    name = pinned or endpoint.default
    if not name:
        raise invalid("The endpoint has no default deployment. Set one, or name a deployment in the request.")
    deployment = endpoint.deployments.get(name.lower())
    if deployment is None or not deployment.ever_succeeded:
        raise AzureError(404, "UserError", f"Deployment {name} was not found under endpoint {endpoint.name}.")
    return deployment


def _inputs(given: dict[str, Any] | None) -> tuple[tuple[str, str], ...]:
    """The places of data. Literals are taken and shown with the job, but a scoring script gets none (UNCONFIRMED)."""
    places = []
    for name, one in (given or {}).items():
        kind = str(one.get("jobInputType"))
        if kind.lower() not in _INPUTS:
            raise invalid(f"The input {name} is of type {kind}; only {', '.join(_INPUTS.values())} can be.", field=name)
        places.append((kind, one.get("uri")))
    found = tuple((kind, str(uri)) for kind, uri in places if kind.lower() != "literal" and uri)
    if not found:
        raise invalid("inputData needs at least one UriFile or UriFolder with a uri.", field="inputData")
    return found


def _output(given: dict[str, Any] | None) -> tuple[str | None, str | None]:
    """(folder, file name) of the outputs, where the call says so."""
    for output in (given or {}).values():
        if uri := output.get("uri"):
            folder, _, file = str(uri).rpartition("/")
            is_file = str(output.get("jobOutputType", "")).lower() == "urifile"
            return (folder, file) if is_file else (str(uri), None)
    return None, None


def _shown(run: BatchRun, given: Json, deployment: str) -> Json:
    """The job's properties as replies show them."""
    # A literal has no mode: nothing is mounted for it.
    mounted = {"mode": "ReadOnlyMount"}
    inputs = {
        name: {"description": None, **(mounted if value.get("uri") else {}), **value}
        for name, value in given["inputData"].items()
    }
    return {
        "inputData": inputs,
        "compute": {
            "target": run.deployment["compute"],
            "instanceCount": None,
            "isLocal": False,
            "location": None,
            "instanceType": None,
            "properties": None,
        },
        "output": {"datastoreId": None, "path": None},
        "retrySettings": run.deployment["retrySettings"],
        "tags": {
            "outputType": "output_data",
            "inputType": "input_data",
            "azureml.batchrun": "true",
            "azureml.deploymentname": deployment,
            "azureml.jobtype": "azureml.batchjob",
        },
        "properties": {
            "azureml.pipelineid": str(uuid.uuid4()),
            "azureml.runsource": "azureml.PipelineRun",
            "runSource": "Unavailable",
            "runType": "HTTP",
            "azureml.continue_on_step_failure": "False",
            "azureml.pipelineComponent": "pipelinerun",
        },
        "name": str((given.get("properties") or {}).get("displayName") or f"batch_{uuid.uuid4().hex[:8]}"),
    }
