"""Nothing that changes behind an endpoint costs a client a request: splits, updates, deletions, crashes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from localcloud.seams import EndpointRoutes, ServingFailed, ServingSpec
from tests.localcloud.scoring_stand import ECHO, KEYS, Stand, eventually, scoring_stand

SLOW = """
import time
def init(): pass
def run(raw_data):
    print("started")
    time.sleep(0.8)
    return raw_data
"""
MORTAL = """
import os, signal
def init(): pass
def run(raw_data):
    if raw_data == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()
"""
OWNER = """
import pathlib, sys, threading
from tests.localcloud.scoring_stand import scoring_stand
with scoring_stand(pathlib.Path(sys.argv[1])) as stand:
    stand.deploy("ep", "blue")
    print("up", flush=True)
    threading.Event().wait()
"""


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with scoring_stand(tmp_path_factory.mktemp("changes")) as running:
        yield running


def while_clients_call(stand: Stand, endpoint: str, change: Coroutine[Any, Any, None]) -> Counter[tuple[int, str]]:
    """Answers (status, deployment) that four clients got from before a change until after it."""

    async def clients() -> Counter[tuple[int, str]]:
        answers: Counter[tuple[int, str]] = Counter()
        done = asyncio.Event()

        async def client() -> None:
            while not done.is_set():
                reply = await stand.send(endpoint)
                answers[reply.status, reply.headers.get("azureml-model-deployment", "")] += 1

        calling = [asyncio.create_task(client()) for _ in range(4)]
        await change
        done.set()
        await asyncio.gather(*calling)
        return answers

    return stand.run(clients())


def split(endpoint: str, **traffic: int) -> EndpointRoutes:
    return EndpointRoutes(f"/{endpoint}", endpoint, "ws", "ws-id", "Key", KEYS, traffic, {})


def spec(stand: Stand, endpoint: str, deployment: str, script: str = ECHO) -> ServingSpec:
    code = stand.script(script)
    return ServingSpec(
        *(f"/{endpoint}", endpoint, deployment, code, "m", "1", code, "score.py"),
        environment_variables={"NAME": deployment},
        max_concurrent_requests_per_instance=4,
    )


def test_moving_the_traffic_back_and_forth_and_deleting_the_empty_side_fails_nobody(stand: Stand) -> None:
    stand.deploy("moving", "blue")
    stand.route("moving", {"blue": 100})

    async def change() -> None:
        for _ in range(5):
            await stand.serving.start_deployment(spec(stand, "moving", "green"))
            await stand.serving.set_routes(split("moving", blue=50, green=50))
            await asyncio.gather(*(stand.send("moving") for _ in range(4)))
            await stand.serving.set_routes(split("moving", blue=100, green=0))
            await stand.serving.stop_deployment("moving", "green")

    answers = while_clients_call(stand, "moving", change())

    assert set(answers) == {(200, "blue"), (200, "green")}


def test_an_update_in_place_fails_nobody(stand: Stand) -> None:
    stand.deploy("updated", "blue")
    stand.route("updated", {"blue": 100})

    async def change() -> None:
        for version in ("second", "third"):
            await stand.serving.start_deployment(spec(stand, "updated", "blue", f"{ECHO}\n# {version}"))

    answers = while_clients_call(stand, "updated", change())

    assert set(answers) == {(200, "blue")}


def test_a_deployment_is_only_gone_when_its_last_request_has_been_answered(stand: Stand) -> None:
    stand.deploy("leaving", "leaving-blue", SLOW)
    stand.route("leaving", {"leaving-blue": 100})

    request = stand.begin(stand.send("leaving", "1"))
    eventually(lambda: stand.rows("ConsoleLog", DeploymentName="leaving-blue", Message="started"))
    stand.route("leaving", {})
    stand.run(stand.serving.stop_deployment("leaving", "leaving-blue"))

    assert request.done()
    assert request.result().status == 200


def test_a_failed_update_leaves_the_old_container_serving(stand: Stand) -> None:
    stand.deploy("kept", "blue")
    stand.route("kept", {"blue": 100})

    with pytest.raises(ServingFailed):
        stand.deploy("kept", "blue", "def init(): raise OSError('no model')\ndef run(raw_data): return 1\n")

    assert stand.post("kept").status == 200


def test_a_container_that_cannot_start_says_why(stand: Stand) -> None:
    with pytest.raises(ServingFailed, match="User container has crashed or terminated") as failed:
        stand.deploy("failing", "blue", "def init(): raise OSError('no such model')\ndef run(raw_data): return 1\n")

    assert failed.value.code == "ResourceNotReady"
    assert "no such model" in failed.value.message
    assert "no such model" in stand.run(stand.serving.container_log("failing", "blue", 50))


def test_a_container_that_is_never_ready_is_given_up(tmp_path_factory: pytest.TempPathFactory) -> None:
    with scoring_stand(tmp_path_factory.mktemp("never"), ready_seconds=3) as stand:
        stand.deploy("never", "other")

        with pytest.raises(ServingFailed, match="did not become ready within 3 s"):
            stand.deploy("never", "blue", "import time\ndef init(): time.sleep(60)\ndef run(raw_data): return 1\n")


def test_a_container_that_dies_is_424_until_it_is_back(stand: Stand) -> None:
    stand.deploy("mortal", "blue", MORTAL)
    stand.route("mortal", {"blue": 100})
    before = json.loads(stand.post("mortal").text)

    died = stand.post("mortal", "die")
    meanwhile = stand.post("mortal")

    assert (died.status, died.headers["ms-azureml-model-error-statuscode"]) == (424, "502")
    assert meanwhile.status == 424
    assert meanwhile.headers["ms-azureml-model-error-statuscode"] in ("502", "503")
    after = eventually(lambda: (reply := stand.post("mortal")).status == 200 and json.loads(reply.text))
    assert after != before
    events = [row["Name"] for row in stand.rows("EventLog", _ResourceId="/subscriptions/s/onlineendpoints/mortal")]
    assert events == ["Created", "Started", "BackOff", "Created", "Started"]


def test_a_front_that_dies_is_back_on_the_same_port_with_the_same_routes(stand: Stand) -> None:
    stand.deploy("phoenix", "blue")
    stand.route("phoenix", {"blue": 100})
    pid = stand.serving.front_pid
    assert pid is not None

    os.kill(pid, signal.SIGKILL)

    eventually(lambda: stand.serving.front_pid not in (None, pid))
    assert eventually(lambda: answered(stand, "phoenix")) == 200


def answered(stand: Stand, endpoint: str) -> int:
    try:
        return stand.post(endpoint).status
    except OSError:
        return 0


def test_containers_can_be_spawned_instead_of_forked(tmp_path_factory: pytest.TempPathFactory) -> None:
    with scoring_stand(tmp_path_factory.mktemp("spawn"), start_method="spawn") as stand:
        stand.deploy("ep", "blue")
        stand.route("ep", {"blue": 100})

        assert stand.post("ep").status == 200


def test_removing_an_endpoint_takes_its_deployments_along(stand: Stand) -> None:
    stand.deploy("removed", "blue", MORTAL)
    stand.route("removed", {"blue": 100})
    pid = int(stand.post("removed").text)

    stand.run(stand.serving.remove_endpoint("removed"))

    assert stand.post("removed").status == 404
    eventually(lambda: not psutil.pid_exists(pid))


def test_nothing_is_left_behind_when_the_cloud_process_is_killed(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path.cwd())
    with owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        family = psutil.Process(owner.pid).children(recursive=True)
        assert len(family) == 3, "front, launcher and one container"

        owner.kill()

        eventually(lambda: not any(member.is_running() for member in family))
