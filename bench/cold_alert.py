"""A cold worker: from nothing to an alert answered, the traffic write sent and the record saved.

    python -m bench.cold_alert

Each run is a new interpreter with the app's own environment that imports `function_app` and calls its alert door with
a fired alert for a canary with 10 % of live traffic; between runs the canary is put back. The time is the whole
process, start to exit, so it is more than what the budget speaks of (alert in to the write on the wire).
Budget: at most 5 x `import azure.functions, azure.core`, in whole processes too.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from localcloud.environment import for_child
from localcloud.settings import Settings
from localcloud.supervisor import Stack

RUNS = 9
BUDGET = 5.0
HOUSE = Path(__file__).resolve().parents[1]
BASE = "import azure.functions, azure.core"
VERSION = "2024-10-01"
POLICY = """\
name: bench
model: {{name: bench}}
targets:
  - {{name: local, subscription_id: {0.subscription_id}, resource_group: {0.resource_group}, workspace: {0.workspace},
     endpoint: bench, log_analytics_workspace_id: {0.log_analytics_workspace_id}}}
deployment: {{instance_type: Standard_F2s_v2}}
steps:
  - canary: {{traffic_percent: 10, at_least: 1h}}
  - full: {{bake: 0s}}
"""
ONE_ALERT = """\
import sys, azure.functions as func, function_app
request = func.HttpRequest("POST", "http://localhost/api/alerts", body=sys.stdin.buffer.read())
answer = function_app.on_alert(request)
assert answer.status_code == 202, answer.get_body()
heavy = {"azure.ai.ml", "evidently", "pandas", "pyarrow", "aiohttp"} & set(sys.modules)
assert not heavy, heavy
"""


class World:
    """The endpoint under a stack whose Functions host was stopped, so that only the measured process acts."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.env = stack, stack.env
        settings = stack.settings
        self.workspace = (
            f"/subscriptions/{settings.subscription_id}/resourceGroups/{settings.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{settings.workspace}"
        )
        self.endpoint = f"{self.workspace}/onlineEndpoints/bench"

    def arm(self, method: str, path: str, body: Any = None) -> Any:
        """One ARM call."""
        reply = requests.request(
            method,
            f"{self.env['LOCALCLOUD_URL']}{path}?api-version={VERSION}",
            json=body,
            headers={"Authorization": "Bearer bench"},
            verify=self.env["LOCALCLOUD_CA"],
            timeout=20,
        )
        reply.raise_for_status()
        return reply.json() if reply.content else None

    def until(self, what: str, ready: Any, seconds: float = 60.0) -> Any:
        """Poll until `ready()` is true."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := ready():
                return found
            time.sleep(0.1)
        raise TimeoutError(f"{what}: not within {seconds} s; see {self.stack.logs}")

    def register(self, version: str) -> None:
        """Register a version whose model is one small file."""
        from sklearn.dummy import DummyClassifier

        with tempfile.TemporaryDirectory() as folder:
            import joblib

            joblib.dump(DummyClassifier().fit([[0], [1]], [0, 1]), Path(folder) / "model.joblib")
            subprocess.run(
                [sys.executable, "-c", REGISTER, version, folder],
                env=for_child(self.env),
                check=True,
                capture_output=True,
            )

    def rollout(self) -> Any:
        """The rollout, as the API shows it."""
        url = f"{self.env['FUNCTIONS_URL']}/api/rollouts/bench/local/bench"
        reply = requests.get(url, headers={"x-functions-key": self.env["FUNCTIONS_KEY"]}, timeout=20)
        return reply.json() if reply.status_code == 200 else {}

    def settled(self) -> Any:
        """The endpoint once no operation runs on it."""
        return self.until("endpoint settles", lambda: self._if_settled())

    def _if_settled(self) -> Any:
        body = self.arm("GET", self.endpoint)
        return body if body["properties"]["provisioningState"] == "Succeeded" else None

    def alert(self, number: int) -> bytes:
        """A fired metric alert for the endpoint."""
        essentials = {
            "alertId": f"/subscriptions/s/providers/Microsoft.AlertsManagement/alerts/{number}",
            "alertRule": "slow",
            "monitorCondition": "Fired",
            "alertTargetIDs": [self.endpoint],
            "firedDateTime": "2026-01-01T00:00:00Z",
        }
        body = {"schemaId": "azureMonitorCommonAlertSchema", "data": {"essentials": essentials, "alertContext": {}}}
        return json.dumps(body).encode()


REGISTER = """\
import json, os, sys
from azure.ai.ml import MLClient
from azure.ai.ml.entities import Model
from azure.identity import ManagedIdentityCredential
e = os.environ
ml = MLClient(ManagedIdentityCredential(), e["SUBSCRIPTION_ID"], e["RESOURCE_GROUP"], e["WORKSPACE"],
              cloud=e["AZUREML_CLOUD_NAME"], cloud_metadata=json.loads(e["AZUREML_CLOUD_METADATA"]))
ml.models.create_or_update(Model(name="bench", version=sys.argv[1], path=sys.argv[2], type="custom_model"))
"""


def storage(env: Mapping[str, str]) -> Any:
    """The stack's storage account, as outside scripts reach it."""
    from azure.storage.blob import BlobServiceClient

    connection = env["AZURE_STORAGE_CONNECTION_STRING"]
    return BlobServiceClient.from_connection_string(connection, connection_verify=env["LOCALCLOUD_CA"])


def canary(world: World) -> tuple[tuple[bytes, dict[str, str]], dict[str, int]]:
    """Bring version 2 into its canary and stop the Functions host; the record, its metadata, and the split before."""
    world.arm("PUT", world.endpoint, {"location": world.stack.settings.region, "properties": {"authMode": "Key"}})
    world.settled()
    world.register("1")
    world.until("version 1 is done", lambda: world.rollout().get("phase") == "done")
    world.register("2")
    world.until(
        "version 2 has its canary",
        lambda: world.rollout().get("phase") == "canary" and world.rollout()["since"] and world.rollout(),
    )
    world.stack.kill_functions(restart=False)
    store = storage(world.env)
    stream = store.get_blob_client("rollouts", "bench/local/bench.json").download_blob()
    return (stream.readall(), dict(stream.properties.metadata)), world.settled()["properties"]["traffic"]


def timed(world: World, number: int) -> float:
    """Seconds of one cold worker that gets one alert."""
    command, environment = [sys.executable, "-c", ONE_ALERT], for_child(world.env)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.perf_counter()
    done = subprocess.run(
        command, input=world.alert(number), env=environment, cwd=HOUSE, capture_output=True, check=False
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(done.stderr.decode()[-2000:])
    back = world.settled()["properties"]["traffic"]
    if sorted(share for share in back.values() if share) != [100]:
        raise RuntimeError(f"the alert did not roll back: {back}")
    return seconds


def base() -> float:
    """Seconds of a process that imports what every Python function app imports."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", BASE], check=True, env=environment)
    return time.perf_counter() - started


def main() -> int:
    """Print the table; 1 when the budget is missed."""
    with tempfile.TemporaryDirectory() as folder:
        policies = Path(folder) / "policies"
        policies.mkdir()
        policies.joinpath("bench.yaml").write_text(POLICY.format(Settings()))
        with Stack(Path(folder) / ".local", policies=policies) as stack:
            world = World(stack)
            record, split = canary(world)
            store = storage(stack.env)
            cold, bare = [], []
            for number in range(RUNS + 1):
                bare.append(base())
                cold.append(timed(world, number))
                body = world.settled()
                body["properties"]["traffic"] = split
                world.arm("PUT", world.endpoint, body)
                world.settled()
                kept = store.get_blob_client("rollouts", "bench/local/bench.json")
                kept.upload_blob(record[0], overwrite=True, metadata=record[1])
                for blob in store.get_container_client("inbox").list_blobs():
                    store.get_container_client("inbox").delete_blob(blob.name)
    cold, bare = cold[1:], bare[1:]  # the first writes the bytecode
    middle, least = statistics.median(cold), statistics.median(bare)
    print(f"{'':46} {'median ms':>10} {'fastest ms':>11} {'ratio':>6}   ({RUNS} runs each)")
    for name, values in ((BASE, bare), ("cold worker, alert in to written and answered", cold)):
        taken = statistics.median(values)
        print(f"{name:46} {taken * 1000:10.0f} {min(values) * 1000:11.0f} {taken / least:6.2f}")
    print(f"budget: at most {BUDGET:g} x: {'kept' if middle <= BUDGET * least else 'MISSED'} ({middle / least:.2f} x)")
    return 0 if middle <= BUDGET * least else 1


if __name__ == "__main__":
    sys.exit(main())
