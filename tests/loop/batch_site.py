"""One batch endpoint with its model, its sample and its policy, and the same verbs of a test: given, when, then."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import requests
from azure.ai.ml.entities import (
    BatchEndpoint,
    BatchRetrySettings,
    CodeConfiguration,
    Environment,
    Model,
    ModelBatchDeployment,
    ModelBatchDeploymentSettings,
)

from tests.loop.policies import ROLL_BACK_ON_ANY
from tests.loop.site import ROLLOUT_SECONDS, Site
from tests.loop.waiting import wait_until
from tests.loop.world import World, together

SMOKE = "smoke: {}"
SHADOW = "shadow: {mirror_percent: 1, at_least: 1s, at_most: 3m}"
CANARY = "canary: {traffic_percent: 10}"
FULL = "full: {bake: 0s}"
LONG_BAKE = "full: {bake: 5m}"
RETIRE = "retire: {after: 0s}"
STEPS = (SMOKE, SHADOW, CANARY, FULL, RETIRE)
STORE = "azureml-blobstore"
"""Container of the workspace's default datastore."""
ROWS = 40
JOBS = 3
"""On the sample, in a rollout with a smoke and a shadow step: one by itself, two to be compared."""

POLICY = """\
name: {site.policy}
model: {{name: {site.model}}}
targets:
  - name: local
    kind: batch
    subscription_id: {settings.subscription_id}
    resource_group: {settings.resource_group}
    workspace: {settings.workspace}
    endpoint: {site.endpoint}
    sample: {site.sample}
deployment:
{deployment}
  batch: {{compute: cpu, sample_within: {within}}}
steps:
{steps}
failed: {{keep: {keep}}}
gates:
  agreement: {{harm: 0.85, safe: 0.90}}
  min_requests: 20
{gates}
alerts:
{alerts}
"""

SCRIPT = """
import os, pathlib, time

def init():
    global BEHAVIOUR
    BEHAVIOUR = next(pathlib.Path(os.environ["AZUREML_MODEL_DIR"]).rglob("behaviour.txt")).read_text()

def run(mini_batch):
    if BEHAVIOUR == "never ends":
        time.sleep(120)
    return [row for path in mini_batch for row in score(pathlib.Path(path))]

def score(file):
    if BEHAVIOUR == "errs" or (BEHAVIOUR == "errs on other data" and "month" in file.name):
        raise ValueError("column y is missing")
    for number, x in enumerate(file.read_text().splitlines()):
        if BEHAVIOUR == "leaves a row out" and number == 7:
            continue
        value = (int(x) % 97) / 97
        yield f"{number},{1 - value if BEHAVIOUR == 'differs' else value},{file.name}"
"""


class Behaviour(StrEnum):
    """How a version differs from the others."""

    GOOD = "good"
    DIFFERS = "differs"
    ERRS = "errs"
    ERRS_LATER = "errs on other data"
    LEAVES_A_ROW_OUT = "leaves a row out"
    NEVER_ENDS = "never ends"


class BatchSite(Site):
    """One batch endpoint, one model, one policy, one sample."""

    def __init__(self, world: World, mark: str) -> None:
        super().__init__(world, mark)
        self.endpoint_id = f"{world.workspace_id}/batchEndpoints/{self.endpoint}"
        self.sample = f"azureml://datastores/workspaceblobstore/paths/samples/{mark}/"

    # Given

    def create(self) -> None:
        """The endpoint, and the sample in two files."""
        self._world.ml.batch_endpoints.begin_create_or_update(BatchEndpoint(name=self.endpoint)).result()
        for name in ("one", "two"):
            self.upload(f"samples/{self.mark}/{name}.csv")

    def upload(self, path: str) -> str:
        """A file of rows in the workspace's datastore; its address."""
        rows = "\n".join(str(number * 7) for number in range(ROWS // 2))
        self._world.upload(STORE, path, rows)
        return f"azureml://datastores/workspaceblobstore/paths/{path}"

    def write_policy(
        self,
        *,
        steps: Sequence[str] = STEPS,
        alerts: Sequence[str] = ROLL_BACK_ON_ANY,
        keep: str = "1h",
        gates: str = "",
        within: str = "2m",
        deployment: Sequence[str] = (),
        more: str = "",
    ) -> None:
        """Upload the site's policy, as its user would."""
        text = POLICY.format(
            site=self,
            settings=self._world.stack.settings,
            steps="\n".join(f"  - {step}" for step in steps),
            alerts="\n".join(f"  - {alert}" for alert in alerts),
            keep=keep,
            gates=f"  {gates}" if gates else "",
            within=within,
            deployment="\n".join(f"  {line}" for line in deployment),
        )
        self._world.upload("policies", f"{self.policy}.yaml", text + more)

    def register(self, version: str, behaviour: StrEnum = Behaviour.GOOD) -> None:
        """A data scientist registers a version. Nobody does anything else."""
        folder = self._world.folder / self.model / version
        folder.mkdir(parents=True)
        (folder / "behaviour.txt").write_text(behaviour.value)
        (folder / "name.txt").write_text(f"{self.model} {version}")
        self._world.ml.models.create_or_update(
            Model(name=self.model, version=version, path=folder, type="custom_model")
        )

    def deploy_by_hand(self, version: str = "1", *, share: int = 100) -> None:
        """A version as the default deployment, made by an engineer with azure-ai-ml."""
        assert share == 100, "a batch endpoint has no shares"
        self.register(version)
        ml = self._world.ml
        deployment = ModelBatchDeployment(
            name=f"by-hand-{self.mark}-{version}",
            endpoint_name=self.endpoint,
            model=f"{self._world.workspace_id}/models/{self.model}/versions/{version}",
            code_configuration=CodeConfiguration(code=str(self._code()), scoring_script="score.py"),
            environment=Environment(name="any", version="1", image="mcr.microsoft.com/any"),
            compute="cpu",
            settings=ModelBatchDeploymentSettings(
                mini_batch_size=1, retry_settings=BatchRetrySettings(max_retries=0, timeout=100)
            ),
        )
        ml.batch_deployments.begin_create_or_update(deployment).result()
        endpoint = ml.batch_endpoints.get(self.endpoint)
        endpoint.defaults.deployment_name = deployment.name
        ml.batch_endpoints.begin_create_or_update(endpoint).result()

    def code_and_environment(self) -> tuple[str, str]:
        """The ids of what the deployment by hand scores with."""
        made = self._world.ml.batch_deployments.get(f"by-hand-{self.mark}-1", self.endpoint)
        assert made.code_configuration is not None
        return str(made.code_configuration.code), str(made.environment)

    def _code(self) -> Path:
        """The scoring script's folder. No two are alike: the SDK uploads equal folders to one address."""
        folder = self._world.folder / f"code-{self.mark}"
        folder.mkdir()
        (folder / "score.py").write_text(f"# {self.mark}{SCRIPT}")
        return folder

    # When

    def run_job(self, path: str) -> str:
        """A user's job on other data, by the default deployment; its name."""
        token = self._world.credential.get_token("https://ml.azure.com/.default").token
        uri = self._world.ml.batch_endpoints.get(self.endpoint).scoring_uri
        data = {"jobInputType": "UriFile", "uri": self.upload(path)}
        body = {"properties": {"inputData": {"data": data}, "errorThreshold": 0}}
        reply = requests.post(uri, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=20)
        assert reply.status_code == 201, reply.text
        return str(reply.json()["name"])

    # Then

    def split(self) -> tuple[dict[str, int], dict[str, int]]:
        """The version of the default deployment has everything."""
        default = self._world.ml.batch_endpoints.get(self.endpoint).defaults.deployment_name
        return ({self.deployments()[default]: 100} if default else {}), {}

    def deployments(self) -> dict[str, str]:
        """Model version by deployment, as azure-ai-ml lists them."""
        listed = self._world.ml.batch_deployments.list(self.endpoint)
        return {one.name: str(one.model).rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1] for one in listed}

    def jobs(self) -> dict[str, str]:
        """Status by name of the jobs on the sample."""
        listed = self._world.ml.batch_endpoints.list_jobs(self.endpoint)
        return {str(one.name): str(one.status) for one in listed if str(one.name).startswith("understudy-")}

    def wait_for_job(self, name: str, status: str) -> None:
        """Return when a job has this status."""
        jobs = self._world.ml.jobs
        wait_until(
            lambda: jobs.get(name).status == status,
            seconds=ROLLOUT_SECONDS,
            told=lambda: f"{name} is {jobs.get(name).status}",
            every=0.25,
        )

    # Afterwards

    def delete(self) -> None:
        """Begin to delete the endpoint."""
        self._world.ml.batch_endpoints.begin_delete(self.endpoint)


def batch_sites(world: World, count: int) -> list[BatchSite]:
    """Empty batch endpoints that no policy names."""
    sites = [BatchSite(world, mark) for mark in world.marks(count)]
    world.look_after(sites)
    together(sites, BatchSite.create)
    return sites


def live_batch_sites(world: World, count: int, **policy: Any) -> list[BatchSite]:
    """Batch endpoints whose default deployment had version 1 before their policy was written."""
    sites = batch_sites(world, count)
    together(sites, BatchSite.deploy_by_hand)
    for site in sites:
        site.write_policy(**policy)
    for site in sites:
        site.wait_until_in_force()
    return sites
