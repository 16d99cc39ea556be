"""Command and pipeline jobs: submit, get, list, cancel. What runs is in `job_runner`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from aiohttp import web

from localcloud.arm.asset_files import AssetFiles
from localcloud.arm.envelope import invalid, not_found
from localcloud.arm.job_runner import JobRunner
from localcloud.arm.job_steps import Step, command_step, pipeline_steps
from localcloud.arm.paging import is_listed, page
from localcloud.arm.paths import PROVIDER, WORKSPACE, Scope, any_case, scope_of
from localcloud.arm.requests import json_body
from localcloud.arm.store import Job, Store, system_data
from localcloud.seams import Cloud, Json

TERMINAL = ("Completed", "Failed", "Canceled")
_EDITABLE = ("displayName", "description", "tags", "properties", "isArchived")


class Jobs:
    """The handlers of `jobs`."""

    def __init__(self, cloud: Cloud, store: Store, files: AssetFiles, runner: JobRunner) -> None:
        self._cloud, self._store, self._files, self._runner = cloud, store, files, runner
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}

    def add_routes(self, app: web.Application) -> None:
        """Azure's own paths."""
        every, one = f"{WORKSPACE}/jobs", f"{WORKSPACE}/jobs/{{job}}"
        app.router.add_get(any_case(every), self.list_all)
        app.router.add_get(any_case(one), self.get)
        app.router.add_put(any_case(one), self.put)
        app.router.add_post(any_case(f"{one}/cancel"), self.cancel)

    def find(self, request: web.Request) -> Job:
        """The job of the path, or Azure's 404."""
        scope, name = scope_of(request.match_info, self._cloud.settings), request.match_info["job"]
        if job := self._store.jobs.get((scope.key, name)):
            return job
        raise not_found(f"job with name {name}")

    async def list_all(self, request: web.Request) -> web.Response:
        """GET jobs: newest first, without the steps of pipelines; filters by type and archive state."""
        scope, wanted = scope_of(request.match_info, self._cloud.settings), request.query.get("jobType")
        jobs = [job for job in self._store.jobs.values() if job.scope == scope and job.parent is None]
        listed = [
            job
            for job in sorted(jobs, key=lambda job: job.created, reverse=True)
            if is_listed(request, bool(job.properties.get("isArchived")))
            and (not wanted or job.properties["jobType"].lower() == wanted.lower())
        ]
        return page(request, self._cloud.base_url, [self.body(job) for job in listed])

    async def get(self, request: web.Request) -> web.Response:
        """GET one."""
        return web.json_response(self.body(self.find(request)))

    async def put(self, request: web.Request) -> web.Response:
        """PUT one: 201 and it starts; for a job that exists only its description and tags change (200)."""
        scope, name = scope_of(request.match_info, self._cloud.settings), request.match_info["job"]
        properties = (await json_body(request)).get("properties") or {}
        key = (scope.key, name)
        if known := self._store.jobs.get(key):
            known.properties |= {field: properties[field] for field in _EDITABLE if field in properties}
            return web.json_response(self.body(known))
        steps = self._steps(scope, name, properties)
        job = Job(scope, name, properties, self._cloud.folder / "jobs" / name)
        self.start(job, self._runner.run(job, steps))
        return web.json_response(self.body(job), status=201)

    def start(self, job: Job, work: Coroutine[Any, Any, None]) -> None:
        """Remember the job and let it run; it can be cancelled from here."""
        key = (job.scope.key, job.name)
        self._store.jobs[key] = job
        self._tasks[key] = asyncio.create_task(work)

    def _steps(self, scope: Scope, name: str, properties: Json) -> list[Step]:
        def component(reference: str) -> Json:
            found = self._files.version(scope, reference, "components")
            if found is None:
                raise invalid(f"{reference!r} is not a component.", field="componentId")
            spec: Json = found[2].properties["componentSpec"]
            return spec

        kind = properties.get("jobType")
        if kind == "Command":
            return [command_step(name, properties)]
        if kind == "Pipeline":
            return pipeline_steps(properties, component)
        raise invalid(f"Jobs of type {kind} cannot run here; only Command and Pipeline can.", field="jobType")

    async def cancel(self, request: web.Request) -> web.Response:
        """POST cancel: when the answer comes the job's processes have ended."""
        job = self.find(request)
        task = self._tasks.get((job.scope.key, job.name))
        if task and not task.done():
            task.cancel()
            await asyncio.wait([task])
            job.status = "Canceled"
        return web.Response(status=200)

    def body(self, job: Job) -> Json:
        """The job as a GET shows it."""
        studio = f"{self._cloud.base_url}/runs/{job.name}"
        services = {
            kind: {"jobServiceType": kind, "endpoint": endpoint, "port": None, "status": None, "errorMessage": None}
            for kind, endpoint in (("Tracking", self._cloud.base_url), ("Studio", studio))
        }
        return {
            "id": f"{job.scope.arm_id}/jobs/{job.name}",
            "name": job.name,
            "type": f"{PROVIDER}/workspaces/jobs",
            "properties": {
                "description": None,
                "tags": {},
                "properties": {},
                "experimentName": "Default",
                "isArchived": False,
                "inputs": {},
                "outputs": {},
                **job.properties,
                "services": services,
                "status": job.status,
            },
            "systemData": system_data(job.created, job.ended or job.started or job.created),
        }

    async def stop(self) -> None:
        """Cancel what still runs, at shut-down."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
