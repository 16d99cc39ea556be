"""Runs one batch scoring job for real: model, code and inputs fetched, a process that scores, outputs in storage.

A job is a pipeline with one step, `batchscoring`, as on Azure: the step has the log and the output `score`. The counts
of files and rows that failed are properties of both runs.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

from localcloud.arm.asset_files import AssetFiles
from localcloud.arm.command_process import job_environment, run_command
from localcloud.arm.datastores import DEFAULT, Datastores
from localcloud.arm.durations import seconds_of
from localcloud.arm.job_runner import last_lines, make_folders, mark_failed
from localcloud.arm.references import datastore_path, job_output_path
from localcloud.arm.run_artifacts import keep_log
from localcloud.arm.store import Job, Store
from localcloud.seams import Cloud, Json, ServingFailed, utc_now

STEP = "batchscoring"
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class BatchRun:
    """What one job scores, with what, and where the result goes."""

    deployment: Json
    """The deployment's properties, with what the call overrides."""
    inputs: tuple[tuple[str, str], ...]
    """(jobInputType, uri) each."""
    output_uri: str | None
    """A folder; None is the job's own place in the default datastore."""


class BatchRunner:
    """Runs batch jobs; any number at once."""

    def __init__(self, cloud: Cloud, store: Store, files: AssetFiles, datastores: Datastores) -> None:
        self._cloud, self._store, self._files, self._datastores = cloud, store, files, datastores

    async def run(self, job: Job, run: BatchRun) -> None:
        """Score, and leave the job and its step Completed, Failed or Canceled."""
        step: Job | None = None
        try:
            await asyncio.sleep(self._cloud.settings.job_seconds)
            job.status, job.started = "Running", utc_now()
            step = self._step(job)
            await self._score(job, step, run)
            job.status = step.status = "Completed"
        except asyncio.CancelledError:
            job.status = "Canceled"
        except Exception as error:
            mark_failed(job, error)
        finally:
            job.ended = utc_now()
            if step is not None:
                step.status, step.error, step.ended = job.status, job.error, job.ended

    def _step(self, job: Job) -> Job:
        name = str(uuid.uuid4())
        step = Job(
            scope=job.scope,
            name=name,
            properties={"jobType": "Command", "displayName": STEP, "command": STEP, "properties": {}},
            folder=job.folder / "steps" / STEP,
            status="Running",
            parent=job.name,
            started=utc_now(),
        )
        self._store.jobs[(job.scope.key, name)] = step
        return step

    async def _score(self, job: Job, step: Job, run: BatchRun) -> None:
        _, log = make_folders(step.folder)
        output, result = step.folder / "outputs" / "score", step.folder / "counts.json"
        output.mkdir(parents=True, exist_ok=True)
        spec = await self._spec(step, run, output)
        spec_file = step.folder / "spec.json"
        spec_file.write_text(json.dumps(spec))
        command = shlex.join([sys.executable, "-m", "localcloud.batch.process", str(spec_file), str(result)])
        environment = job_environment({"AZUREML_RUN_ID": step.name, "PYTHONPATH": str(_ROOT)})
        try:
            exit_code = await run_command(command, step.folder, environment, log, None)
        finally:
            await keep_log(self._cloud.blobs, step)
        counts = json.loads(result.read_text()) if result.exists() else {}
        for each in (job, step):
            each.properties["properties"] = {
                **(each.properties.get("properties") or {}),
                **{f"batch.{name}": str(value) for name, value in counts.items()},
            }
        await self._keep(step, run, output)
        if exit_code != 0:
            raise ServingFailed("UserError", f"Batch scoring exited with {exit_code}:\n{last_lines(log)}")

    async def _spec(self, step: Job, run: BatchRun, output: Path) -> Json:
        deployment, code = run.deployment, run.deployment["codeConfiguration"] or {}
        model = self._files.model(step.scope, str(deployment["model"]["assetId"]))
        code_path = await self._files.fetch(self._files.code(step.scope, str(code["codeId"]))) if code else None
        writes_itself = deployment["outputAction"] == "SummaryOnly"
        return {
            "model_dir": str((await self._files.fetch(model)).resolve()),
            "model_name": model.name,
            "model_version": model.version,
            "code_path": str(code_path.resolve()) if code_path else None,
            "scoring_script": code.get("scoringScript"),
            "environment": {name: str(value) for name, value in deployment["environmentVariables"].items()},
            "inputs": [str(folder) for folder in await self._inputs(step, run)],
            "output_folder": str(output),
            "output_file": None if writes_itself else deployment["outputFileName"],
            "limits": {
                "mini_batch_size": deployment["miniBatchSize"],
                "max_retries": deployment["retrySettings"]["maxRetries"],
                "timeout_seconds": seconds_of(str(deployment["retrySettings"]["timeout"]), "timeout"),
                "error_threshold": deployment["errorThreshold"],
                "at_once": deployment["maxConcurrencyPerInstance"] * int(deployment["resources"]["instanceCount"]),
            },
        }

    async def _inputs(self, step: Job, run: BatchRun) -> list[Path]:
        folders = []
        for number, (_, uri) in enumerate(run.inputs):
            folder = step.folder / "inputs" / str(number)
            await self._files.download(self._files.data(step.scope, uri).uri, folder)
            folders.append(folder)
        return folders

    async def _keep(self, step: Job, run: BatchRun, output: Path) -> None:
        place = datastore_path(run.output_uri) if run.output_uri else None
        store, path = (place.datastore, place.path) if place else (DEFAULT, job_output_path(step.name, "score"))
        await self._cloud.blobs.upload_folder(self._datastores.container_of(store), path, output)
        uri = f"azureml://datastores/{store}/paths/{path}"
        step.properties["outputs"] = {"score": {"jobOutputType": "uri_folder", "uri": uri, "mode": "ReadWriteMount"}}
