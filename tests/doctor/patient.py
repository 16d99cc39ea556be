"""The endpoint that the doctor looks at, and how one asks."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from policy.__main__ import main
from tests.localcloud.arm_cloud import ArmCloud

TEXT = """\
name: {name}
model:
  name: {model}
{more_model}
targets:
  - name: local
    subscription_id: {settings.subscription_id}
    resource_group: {settings.resource_group}
    workspace: {workspace}
    endpoint: "{endpoint}"
    log_analytics_workspace_id: {logs}
    kind: {kind}
{more_target}
deployment: {deployment}
steps:
  - smoke: {{requests: [{{data: [[1]]}}]}}
  - shadow: {{mirror_percent: 20}}
  - full: {{bake: 1h}}
{more}
"""


@dataclass(frozen=True)
class Told:
    """The doctor's answer."""

    status: int
    checks: dict[str, dict[str, Any]]
    """By name; of one endpoint."""
    body: dict[str, Any]

    def of(self, name: str) -> tuple[str, str, str]:
        """Outcome, what was seen, and what mends it."""
        found = self.checks[name]
        return found["outcome"], found["seen"], found["mend"]

    @property
    def failing(self) -> set[str]:
        """The names of the checks that stop a rollout."""
        return {name for name, one in self.checks.items() if one["outcome"] == "fail" and one["required"]}


class Patient:
    """An endpoint of its own with `blue` live, and policies that speak of it."""

    def __init__(self, cloud: ArmCloud, folder: Path) -> None:
        self.cloud, self._folder = cloud, folder
        self.endpoint = cloud.endpoint("blue", traffic={"blue": 100})
        self.path = cloud.endpoint_path(self.endpoint)

    def policy(self, **changes: Any) -> Path:
        """A policy file for the endpoint."""
        settings = self.cloud.stack.settings
        values = {
            "name": "credit",
            "model": "shared-model",
            "endpoint": self.endpoint,
            "workspace": settings.workspace,
            "logs": settings.log_analytics_workspace_id,
            "kind": "online",
            "deployment": "{}",
            "more_model": "",
            "more_target": "",
            "more": "",
            **changes,
        }
        file = self._folder / f"{values['name']}.yaml"
        file.write_text(TEXT.format(settings=settings, **values))
        return file

    def ask(self, capsys: pytest.CaptureFixture[str], name: str = "", **changes: Any) -> Told:
        """What the doctor says of a policy in force (`name`), or of the file with these changes."""
        capsys.readouterr()
        status = main(["doctor", name or str(self.policy(**changes)), "--json"])
        body = json.loads(capsys.readouterr().out)
        checks = {one["name"]: one for one in body["checks"]}
        assert len(checks) == len(body["checks"]), "one endpoint, and no name twice"
        return Told(status, checks, body)

    def score(self, times: int, headers: dict[str, str] | None = None) -> None:
        """Requests of a client."""
        key = self.cloud.call("POST", f"{self.path}/listKeys").json()["primaryKey"]
        uri = self.cloud.call("GET", self.path).json()["properties"]["scoringUri"]
        for number in range(times):
            body = {"data": [[float(number)]]}
            given = {"Authorization": f"Bearer {key}", **(headers or {})}
            assert requests.post(uri, json=body, headers=given, timeout=10).status_code == 200

    def set_traffic(self, traffic: dict[str, int], mirror: dict[str, int] | None = None) -> None:
        """By another hand."""
        self.cloud.ended(self.cloud.put_traffic(self.endpoint, traffic, mirror))


def until(told: Any, seconds: float = 20.0) -> Any:
    """What `told` gives once it gives something."""
    deadline = time.monotonic() + seconds
    while not (found := told()):
        assert time.monotonic() < deadline, "nothing came within the deadline"
        time.sleep(0.1)
    return found
