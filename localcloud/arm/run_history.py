"""Run history, as far as the SDK asks for it: details behind `jobs.stream` and `jobs.download`, logs, child runs."""

from __future__ import annotations

from aiohttp import web

from localcloud.arm.job_runner import LOG_FILE
from localcloud.arm.jobs import Jobs
from localcloud.arm.paths import WORKSPACE, any_case
from localcloud.arm.requests import json_body
from localcloud.arm.store import Job, Store
from localcloud.seams import AzureError, Cloud, Json

_BASE = "/history/v1.0" + WORKSPACE
_EDITABLE = ("displayName", "description", "tags", "properties")


class RunHistory:
    """The handlers of the history service."""

    def __init__(self, cloud: Cloud, store: Store, jobs: Jobs) -> None:
        self._cloud, self._store, self._jobs = cloud, store, jobs

    def add_routes(self, app: web.Application) -> None:
        """The service's own paths; logs are read without a token, like the signed blob addresses they stand for."""
        app.router.add_get(any_case(f"{_BASE}/runs/{{job}}/details"), self.details)
        app.router.add_get(any_case(f"{_BASE}/runs/{{job}}/children"), self.children)
        app.router.add_post(any_case(f"{_BASE}/rundata"), self.run_data)
        app.router.add_patch(any_case(f"{_BASE}/experiments/{{experiment}}/runs/{{job}}"), self.modify)
        app.router.add_get("/joblogs/{job}", self.log)

    def _run(self, job: Job) -> Json:
        return {
            "runId": job.name,
            "parentRunId": job.parent,
            "status": job.status,
            "displayName": job.properties.get("displayName"),
            "startTimeUtc": job.started.isoformat() if job.started else None,
            "endTimeUtc": job.ended.isoformat() if job.ended else None,
            "error": {"error": job.error} if job.error else None,
            "runType": "azureml.PipelineRun" if job.properties["jobType"] == "Pipeline" else "azureml.StepRun",
            "properties": job.properties.get("properties") or {},
            "tags": job.properties.get("tags") or {},
            "outputs": {},
        }

    def _steps_of(self, job: Job) -> list[Job]:
        return [other for other in self._store.jobs.values() if (other.scope, other.parent) == (job.scope, job.name)]

    async def details(self, request: web.Request) -> web.Response:
        """GET details: status, error and where the logs are."""
        job = self._jobs.find(request)
        name = "logs/azureml/executionlogs.txt" if job.properties["jobType"] == "Pipeline" else f"user_logs/{LOG_FILE}"
        logs = {name: f"{self._cloud.base_url}/joblogs/{job.name}"}
        return web.json_response({**self._run(job), "logFiles": logs, "warnings": []})

    async def children(self, request: web.Request) -> web.Response:
        """GET children: one run per step."""
        return web.json_response({"value": [self._run(step) for step in self._steps_of(self._jobs.find(request))]})

    async def run_data(self, request: web.Request) -> web.Response:
        """POST rundata."""
        name = (await json_body(request)).get("runId")
        for job in self._store.jobs.values():
            if job.name == name:
                return web.json_response({"runMetadata": self._run(job)})
        raise AzureError(404, "UserError", f"Run {name} was not found.")

    async def modify(self, request: web.Request) -> web.Response:
        """PATCH a run: its description, tags and properties are merged."""
        job, body = self._jobs.find(request), await json_body(request)
        for field in _EDITABLE:
            if (value := body.get(field)) is not None:
                known = job.properties.get(field)
                job.properties[field] = {**known, **value} if isinstance(known, dict) else value
        return web.json_response(self._run(job))

    async def log(self, request: web.Request) -> web.Response:
        """GET a job's output; of a pipeline, the status of its steps and their output."""
        parts = []
        for job in [job for job in self._store.jobs.values() if job.name == request.match_info["job"]]:
            for each in [job, *self._steps_of(job)]:
                path = each.folder / "user_logs" / LOG_FILE
                title = f"[{each.name}: {each.status}]\n" if each.parent else ""
                parts.append(title + (path.read_text(errors="replace") if path.exists() else ""))
        return web.Response(text="\n".join(parts))
