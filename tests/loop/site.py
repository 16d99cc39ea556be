"""One endpoint with its model and its policy, and the verbs of a test: given, when, then."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import requests
from azure.ai.ml.entities import ManagedOnlineDeployment, Model, OnlineRequestSettings
from azure.core.exceptions import ResourceNotFoundError

from tests.loop.clients import Clients, asking
from tests.loop.policies import ROLL_BACK_ON_ANY, STEPS, policy_text
from tests.loop.versions import Behaviour, write
from tests.loop.waiting import wait_until

if TYPE_CHECKING:
    from tests.loop.world import World

Json = dict[str, Any]
TARGET = "local"
ENDED = ("done", "rolled_back", "superseded", "failed")
ROLLOUT_SECONDS = 120.0
"""Longest that anything may take on a small machine that does other things too; the normal time is a few seconds."""

ARM_POLL_SECONDS = 0.25
"""Azure Resource Manager throttles those who ask more often, and the app with them."""


class Site:
    """One endpoint, one model, one policy: each with a name of its own, so that no name can stand in for another."""

    def __init__(self, world: World, mark: str) -> None:
        self._world, self.mark = world, mark
        self.policy, self.model, self.endpoint = f"policy-{mark}", f"model-{mark}", f"endpoint-{mark}"
        self.endpoint_id = f"{world.workspace_id}/onlineEndpoints/{self.endpoint}"
        self.inputs: Mapping[str, str] | None = None
        """Columns that the versions registered from now on say they take."""
        self.kind = "custom_model"
        self.path = f"rollouts/{self.policy}/{TARGET}/{self.endpoint}"

    # Given

    def write_policy(
        self,
        *,
        steps: Sequence[str] = STEPS,
        alerts: Sequence[str] = ROLL_BACK_ON_ANY,
        keep: str = "1h",
        gates: str = "",
        more: str = "",
    ) -> None:
        """Upload the site's policy, as its user would."""
        settings = self._world.stack.settings
        names = (self.policy, self.model, self.endpoint)
        text = policy_text(*names, settings, steps=steps, alerts=alerts, keep=keep, gates=gates, more=more)
        self._world.upload("policies", f"{self.policy}.yaml", text)

    def wait_until_in_force(self) -> None:
        """Return when the app has read the policy."""
        health = self._world.health
        wait_until(
            lambda: self.policy in health()["policies"],
            seconds=20,
            told=lambda: f"{self.policy}: {health()}",
            every=0.2,
        )

    def register(self, version: str, behaviour: Behaviour = Behaviour.GOOD) -> None:
        """A data scientist registers a version with azure-ai-ml. Nobody does anything else."""
        folder = write(self._world.folder / self.model / version, self.model, version, behaviour, inputs=self.inputs)
        self._world.ml.models.create_or_update(Model(name=self.model, version=version, path=folder, type=self.kind))

    def deploy_by_hand(self, version: str = "1", *, share: int = 100) -> None:
        """A version, deployed and given a share of the traffic by an engineer with azure-ai-ml."""
        self.register(version)
        endpoints, deployments = self._world.ml.online_endpoints, self._world.ml.online_deployments
        deployment = ManagedOnlineDeployment(
            name=f"by-hand-{self.mark}-{version}",
            endpoint_name=self.endpoint,
            model=f"{self._world.workspace_id}/models/{self.model}/versions/{version}",
            instance_type="Standard_F2s_v2",
            instance_count=4,
            # Azure's default is one at a time, and 429 for whoever comes third.
            request_settings=OnlineRequestSettings(max_concurrent_requests_per_instance=10),
        )
        deployments.begin_create_or_update(deployment).result()
        found = endpoints.get(self.endpoint)
        others = {name: 100 - share for name, live in found.traffic.items() if live}
        found.traffic = {**others, deployment.name: share}
        endpoints.begin_create_or_update(found).result()

    def clients(self) -> AbstractContextManager[Clients]:
        """Clients that ask the endpoint all the time."""
        found = self._world.ml.online_endpoints.get(self.endpoint)
        key = self._world.ml.online_endpoints.get_keys(self.endpoint).primary_key
        return asking(Clients(found.scoring_uri, key, self._world.env["LOCALCLOUD_CA"]))

    # When

    def command(
        self, action: str, *, identity: str | None = None, reason: str = "a test asks", **more: Any
    ) -> requests.Response:
        """A person's command at the door."""
        body = {"id": uuid.uuid4().hex if identity is None else identity, "reason": reason, **more}
        return self._world.call("POST", f"{self.path}/{action}", body)

    def take_in(self, event: Json) -> None:
        """Deliver an event and return when a look has taken it in."""
        before = set(self.record_now()["handled"])
        assert self._world.event(event).status_code == 202
        self.wait_until("the event was taken in", lambda _: bool(set(self.record_now()["handled"]) - before))

    # Then

    def rollout(self) -> Json | None:
        """What the app says of the site's rollout, with its history; None: there never was one."""
        reply = self._world.call("GET", self.path)
        assert reply.status_code in (200, 404), reply.text
        found: Json = reply.json()
        return found if reply.status_code == 200 else None

    def now(self) -> Json:
        """The rollout, which is there."""
        found = self.rollout()
        assert found is not None, f"there is no rollout at {self.path}"
        return found

    def wait_for(self, *phases: str, version: str, seconds: float = ROLLOUT_SECONDS) -> Json:
        """The rollout once `version` is in one of these phases; fails at once when it ended in another."""

        def look() -> Json | None:
            found = self.rollout()
            if found is None or found["version"] != version:
                return None
            if found["phase"] in phases:
                return found
            assert found["phase"] not in ENDED, f"ended otherwise than as {phases}: {told(found)}"
            return None

        return (
            wait_until(
                look, seconds=seconds, told=lambda: f"version {version} {phases}: {told(self.rollout())}", every=0.1
            )
            or {}
        )

    def wait_until(self, what: str, holds: Callable[[Json], bool], *, seconds: float = ROLLOUT_SECONDS) -> Json:
        """The rollout once `holds` is true of it; `what` says it in words."""

        def look() -> Json | None:
            found = self.rollout()
            return found if found is not None and holds(found) else None

        return wait_until(look, seconds=seconds, told=lambda: f"{what}: {told(self.rollout())}", every=0.1) or {}

    def wait_for_reason(self, words: str) -> Json:
        """The rollout once one of its reasons holds these words."""
        return self.wait_until(f"the reason {words!r}", lambda rollout: words in "; ".join(rollout["reasons"]))

    def wait_for_split(self, live: dict[str, int], mirror: dict[str, int] | None = None) -> None:
        """Return when azure-ai-ml reads this split, by model version."""
        wanted = (live, mirror or {})
        wait_until(
            lambda: self.split() == wanted,
            seconds=ROLLOUT_SECONDS,
            every=ARM_POLL_SECONDS,
            told=lambda: f"wanted {wanted}, is {self.split()}: {told(self.rollout())}",
        )

    def wait_until_deployed(self, *versions: str) -> None:
        """Return when these versions, and no others, are deployed."""
        wait_until(
            lambda: sorted(self.deployments().values()) == sorted(versions),
            seconds=ROLLOUT_SECONDS,
            every=ARM_POLL_SECONDS,
            told=lambda: f"wanted {versions}, are {self.deployments()}: {told(self.rollout())}",
        )

    def split(self) -> tuple[dict[str, int], dict[str, int]]:
        """(live, mirrored) percent by model version, as azure-ai-ml reads them from Azure."""
        found = self._world.ml.online_endpoints.get(self.endpoint)
        versions = self.deployments()

        def by_version(weights: dict[str, int] | None) -> dict[str, int]:
            return {versions.get(name, name): share for name, share in (weights or {}).items() if share}

        return by_version(found.traffic), by_version(found.mirror_traffic)

    def deployments(self) -> dict[str, str]:
        """Model version by deployment, as azure-ai-ml lists them."""
        listed = self._world.ml.online_deployments.list(self.endpoint)
        return {one.name: str(one.model).rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1] for one in listed}

    def ever_deployed(self) -> set[str]:
        """Every deployment that the local cloud began to make, also one that is gone again."""
        page = requests.get(f"{self._world.env['LOCALCLOUD_URL']}/localcloud", timeout=20).text
        return set(re.findall(f"PUT (?:online|batch)endpoints/{self.endpoint}/deployments/([\\w-]+)", page, re.I))

    def record(self) -> Json | None:
        """The rollout's record in storage, which is there while the app is not."""
        try:
            return _loaded(self._world.text("rollouts", f"{self.policy}/{TARGET}/{self.endpoint}.json"))
        except ResourceNotFoundError:
            return None

    def record_now(self) -> Json:
        """The record, which is there."""
        found = self.record()
        assert found is not None, f"there is no record of {self.path}"
        return found

    def finished(self, number: int) -> Json:
        """The record of a finished rollout, from the history."""
        return _loaded(self._world.text("history", f"{self.policy}/{TARGET}/{self.endpoint}/{number}.json"))

    def replayed(self, number: int) -> str:
        """What `python -m rollout replay` prints of a finished rollout; it must come to the same decisions."""
        wait_until(
            lambda: f"{number}.json" in self.history(),
            seconds=20,
            told=lambda: f"rollout {number} of {self.path} is not in the history: {self.history()}",
            every=0.2,
        )
        file = self._world.folder / f"{self.mark}-{number}.json"
        file.write_text(json.dumps(self.finished(number)))
        done = subprocess.run(
            [sys.executable, "-m", "rollout", "replay", str(file)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def history(self) -> list[str]:
        """The site's finished rollouts in the history container."""
        prefix = f"{self.policy}/{TARGET}/{self.endpoint}/"
        return [name.removeprefix(prefix) for name in self._world.names("history", prefix)]

    # Afterwards

    def delete(self) -> None:
        """Begin to delete the endpoint."""
        self._world.ml.online_endpoints.begin_delete(self.endpoint)


def _loaded(text: str) -> Json:
    found: Json = json.loads(text)
    return found


def phases(rollout: Json) -> list[str]:
    """The phases that a rollout went through, in order."""
    return list(dict.fromkeys([*(entry["phase"] for entry in rollout["history"]), rollout["phase"]]))


def told(rollout: Json | None) -> str:
    """A rollout for the reader of a failed test: where it stands, why, and how it came there."""
    if rollout is None:
        return "there is no rollout"
    head = {k: rollout[k] for k in ("version", "phase", "flags", "step", "traffic", "mirror", "reasons", "evidence")}
    lines = [f"{e['at'][11:23]} {e['phase']} {e['cause']}: {e['text']}" for e in rollout.get("history", [])]
    return "\n".join([str(head), *lines])
