"""Runs jobs for real: downloads code and inputs, runs each command, uploads outputs and registers the named ones.

Steps of a pipeline run as soon as the steps they read from are done; the first failure fails the pipeline and cancels
the rest. A named output becomes a model or data version when its step has succeeded, as Azure ML does.
"""

from __future__ import annotations

import asyncio
import shutil
import traceback
from pathlib import Path

from localcloud.arm.asset_files import AssetFiles
from localcloud.arm.assets import Assets
from localcloud.arm.command_process import job_environment, run_command
from localcloud.arm.datastores import DEFAULT
from localcloud.arm.job_placeholders import fill
from localcloud.arm.job_steps import MODEL_TYPES, InputValue, OutputSpec, Step
from localcloud.arm.references import datastore_path, job_output_path
from localcloud.arm.run_artifacts import keep_log
from localcloud.arm.store import Job, Store
from localcloud.seams import AzureError, Cloud, Json, ServingFailed, utc_now

LOG_FILE = "std_log.txt"
_CONTAINER = "azureml-blobstore"


class JobRunner:
    """Runs the steps of one job at a time per call; any number of jobs at once."""

    def __init__(self, cloud: Cloud, store: Store, files: AssetFiles, assets: Assets) -> None:
        self._cloud, self._store, self._files, self._assets = cloud, store, files, assets

    async def run(self, job: Job, steps: list[Step]) -> None:
        """Run all steps and leave the job Completed, Failed or Canceled."""
        try:
            await asyncio.to_thread(shutil.rmtree, job.folder, ignore_errors=True)
            await self._cloud.pace.wait("operations", self._cloud.settings.job_seconds)
            job.status, job.started = "Running", utc_now()
            if job.properties["jobType"] == "Pipeline":
                await self._run_pipeline(job, steps)
            else:
                await self._run_step(job, steps[0], {}, job)
            job.status = "Completed"
        except asyncio.CancelledError:
            job.status = "Canceled"
        except BaseExceptionGroup as group:
            mark_failed(job, group.exceptions[0])
        except Exception as error:
            mark_failed(job, error)
        finally:
            job.ended = utc_now()

    async def _run_pipeline(self, job: Job, steps: list[Step]) -> None:
        produced: dict[tuple[str, str], Path] = {}
        finished = {step.name: asyncio.Event() for step in steps}

        async def run_one(step: Step) -> None:
            for name in step.after:
                await finished[name].wait()
            child = self._child(job, step)
            try:
                await self._run_step(child, step, produced, job)
                child.status = "Completed"
            except asyncio.CancelledError:
                child.status = "Canceled"
                raise
            except Exception as error:
                mark_failed(child, error)
                raise
            finally:
                child.ended = utc_now()
            finished[step.name].set()

        async with asyncio.TaskGroup() as group:
            for step in steps:
                group.create_task(run_one(step))

    def _child(self, job: Job, step: Step) -> Job:
        child = Job(
            scope=job.scope,
            name=f"{job.name}-{step.name}",
            properties={"jobType": "Command", "displayName": step.name, "command": step.command},
            folder=job.folder / "steps" / step.name,
            status="Running",
            parent=job.name,
            started=utc_now(),
        )
        self._store.jobs[(job.scope.key, child.name)] = child
        return child

    async def _run_step(self, job: Job, step: Step, produced: dict[tuple[str, str], Path], owner: Job) -> None:
        """One command with its inputs and outputs. `owner` is the job that outputs are registered under."""
        code, log = make_folders(job.folder)
        if step.code_id:
            asset = self._files.code(job.scope, step.code_id)
            await self._files.download(asset.uri, code)
        inputs = {name: await self._input(job, name, value, produced) for name, value in step.inputs.items()}
        outputs = {name: _output_path(job.folder, name, spec) for name, spec in step.outputs.items()}
        texts = {name: str(path) for name, path in outputs.items()}
        environment = job_environment(self._variables(owner, job, step, inputs, texts))
        command = fill(step.command, inputs, texts)
        try:
            exit_code = await run_command(command, code, environment, log, step.timeout_seconds)
        except TimeoutError:
            raise ServingFailed("JobTimedOut", f"{step.name} ran longer than {step.timeout_seconds} s.") from None
        finally:
            await keep_log(self._cloud.blobs, job)
        if exit_code != 0:
            raise ServingFailed(
                "UserError", f"{step.name} exited with {exit_code}. Its last output:\n{last_lines(log)}"
            )
        for name, spec in step.outputs.items():
            await self._keep(owner, job, name, spec, outputs[name])
            produced[(step.name, name)] = outputs[name]

    async def _input(self, job: Job, name: str, value: InputValue, produced: dict[tuple[str, str], Path]) -> str:
        if value.step:
            path = produced.get((value.step, str(value.output)))
            if path is None:
                raise ServingFailed("UserError", f"Step {value.step} has no output {value.output}.")
            return str(path)
        if value.uri is None:
            return value.literal or ""
        kind = "models" if value.type in MODEL_TYPES else "data"
        located = (
            self._files.model(job.scope, value.uri) if kind == "models" else self._files.data(job.scope, value.uri)
        )
        folder = job.folder / "inputs" / name
        await self._files.download(located.uri, folder)
        return str(_only_file(folder) if value.type == "uri_file" else folder)

    async def _keep(self, owner: Job, job: Job, name: str, spec: OutputSpec, path: Path) -> None:
        """Upload an output, and register it when it has a name."""
        as_job, as_name = (owner.name, spec.parent_output) if spec.parent_output else (job.name, name)
        place = datastore_path(spec.uri) if spec.uri else None
        target = place.path if place else job_output_path(as_job, as_name)
        source = path.parent if spec.type == "uri_file" else path
        await self._cloud.blobs.upload_folder(_CONTAINER, target, source)
        if not spec.asset_name:
            return
        scope = owner.scope
        uri = (
            f"azureml://subscriptions/{scope.subscription}/resourcegroups/{scope.resource_group}"
            f"/workspaces/{scope.name}/datastores/{place.datastore if place else DEFAULT}/paths/{target}"
        )
        is_model = spec.type in MODEL_TYPES
        kind = "models" if is_model else "data"
        properties: Json = {"modelUri": uri, "modelType": spec.type} if is_model else {"dataUri": uri}
        properties |= {"jobName": owner.name} if is_model else {"dataType": spec.type}
        version = spec.asset_version or self._assets.next_version(scope, kind, spec.asset_name)
        self._assets.register(scope, kind, spec.asset_name, str(version), properties)

    def _variables(
        self, owner: Job, job: Job, step: Step, inputs: dict[str, str], outputs: dict[str, str]
    ) -> dict[str, str]:
        return {
            **{f"AZURE_ML_INPUT_{name}": value for name, value in inputs.items()},
            **{f"AZURE_ML_OUTPUT_{name}": value for name, value in outputs.items()},
            "AZUREML_RUN_ID": job.name,
            "AZUREML_ROOT_RUN_ID": owner.name,
            "AZUREML_EXPERIMENT_NAME": str(owner.properties.get("experimentName") or "Default"),
            "AZUREML_ARM_SUBSCRIPTION": owner.scope.subscription,
            "AZUREML_ARM_RESOURCEGROUP": owner.scope.resource_group,
            "AZUREML_ARM_WORKSPACE_NAME": owner.scope.name,
            **step.environment_variables,
        }


def mark_failed(job: Job, error: BaseException) -> None:
    """Leave the job Failed with this cause; what nobody expected is printed too."""
    if not isinstance(error, (ServingFailed, AzureError)):
        traceback.print_exception(error)
    code = error.code if isinstance(error, (ServingFailed, AzureError)) else "InternalServerError"
    job.status, job.error = "Failed", {"code": code, "message": str(error)}


def make_folders(folder: Path) -> tuple[Path, Path]:
    """A job's work folders, made: (code folder, log file)."""
    for part in ("code", "inputs", "outputs", "user_logs"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    return folder / "code", folder / "user_logs" / LOG_FILE


def _output_path(folder: Path, name: str, spec: OutputSpec) -> Path:
    path = folder / "outputs" / name
    path.mkdir(parents=True, exist_ok=True)
    return path / name if spec.type == "uri_file" else path


def _only_file(folder: Path) -> Path:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return files[0] if len(files) == 1 else folder


def last_lines(log: Path, lines: int = 20) -> str:
    """The end of a log, for an error's text."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
