"""`GET /localcloud`: what runs, on one page for people, and the command line's help."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from localcloud.__main__ import parser
from localcloud.faults import FAULTS
from localcloud.scoring import ScoringOptions
from localcloud.settings import Settings
from tests.localcloud.arm_cloud import until
from tests.localcloud.orders import Orders

if TYPE_CHECKING:
    from tests.localcloud.arm_cloud import ArmCloud

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def page(arm: ArmCloud, orders: Orders) -> str:
    """The page of a cloud with an endpoint, a split, a fault and some requests."""
    endpoint = arm.endpoint("blue", traffic={"blue": 100})
    orders.give("http", match="<script>alert(1)</script>", status=500)
    reply = requests.get(f"{arm.url}/localcloud", timeout=5)
    assert (reply.status_code, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert endpoint in reply.text
    return reply.text


def test_the_page_shows_endpoints_deployments_operations_faults_and_requests(page: str) -> None:
    headings = re.findall("<h2>(.*?)</h2>", page)

    assert headings == [
        *("Endpoints", "Deployments", "Scoring requests", "Batch deployments", "Operations"),
        *("Faults", "Steps", "Recent requests"),
    ]
    assert "<td>blue 100 %</td>" in page
    put = r'<td>PUT</td><td title="/subscriptions/[^"]*/deployments/blue">…/onlineEndpoints/[^<]*/deployments/blue</td>'
    assert re.search(f"{put}<td>201</td><td>1</td>", page)


def test_the_page_counts_what_each_deployment_answered(arm: ArmCloud) -> None:
    endpoint = arm.endpoint("blue", traffic={"blue": 100})
    keys = arm.call("POST", f"{arm.endpoint_path(endpoint)}/listKeys").json()
    uri = arm.call("GET", arm.endpoint_path(endpoint)).json()["properties"]["scoringUri"]

    for body in ({"data": [[0.0]]}, {"data": [[1.0]]}, {"no": "data"}):
        requests.post(uri, json=body, headers={"Authorization": f"Bearer {keys['primaryKey']}"}, timeout=10)

    row = f"<td>{endpoint}</td><td>blue</td><td>clients</td><td>3</td><td>200: 2, 424: 1</td>"
    assert until(lambda: row in requests.get(f"{arm.url}/localcloud", timeout=5).text or None)


def test_a_repeated_request_is_one_line_with_the_number_of_times(arm: ArmCloud) -> None:
    for _ in range(4):
        arm.call("GET", f"{arm.workspace_id}/onlineEndpoints/repeated")

    page = requests.get(f"{arm.url}/localcloud", timeout=5).text

    assert page.count("/onlineEndpoints/repeated</td>") == 1
    assert re.search(r'/onlineEndpoints/repeated</td><td class="bad">404</td><td>4</td>', page)


def test_the_page_needs_nothing_from_outside_and_escapes_what_it_shows(page: str) -> None:
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert not re.search(r"<script|<link|<img|\bsrc=|@import|url\(", page)
    assert "color-scheme: light dark" in page


def test_the_page_does_not_list_its_own_requests(arm: ArmCloud) -> None:
    requests.get(f"{arm.url}/localcloud", timeout=5)

    assert "<td>/localcloud</td>" not in requests.get(f"{arm.url}/localcloud", timeout=5).text


def test_the_documented_faults_are_the_faults_there_are() -> None:
    text = (REPOSITORY / "docs" / "localcloud.md").read_text()
    listed = re.findall(r"^\| `([a-z0-9_.]+)` \| (.*?) \| (.*?) \| (.*?) \|$", text, re.MULTILINE)

    assert listed == [
        (name, kind.says, kind.subject, ", ".join(f"`{one}`" for one in kind.parameters) or "none")
        for name, kind in FAULTS.items()
    ]


def test_the_help_lists_every_command_and_every_setting_with_its_default() -> None:
    def help_of(*command: str) -> str:
        run = [sys.executable, "-m", "localcloud", *command, "--help"]
        return subprocess.run(run, capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout

    assert {"up", "cloud", "host"} <= set(help_of().split())
    settings = {field.name: field.default for kind in (Settings, ScoringOptions) for field in fields(kind)}
    shown = dict(re.findall(r"^    ([a-z_]+)=(.*)$", help_of("up"), re.MULTILINE))
    assert shown == {name: str(default) for name, default in settings.items()}


def test_the_documented_options_of_up_are_the_options_there_are() -> None:
    text = (REPOSITORY / "docs" / "localcloud.md").read_text()
    documented = re.findall(r"^\| `(--[a-z-]+)[^|]*\|", text, re.MULTILINE)

    (commands,) = (one for one in parser()._actions if isinstance(one, argparse._SubParsersAction))
    options = [action.option_strings[-1] for action in commands.choices["up"]._actions]
    assert documented == [option for option in options if option != "--help"]


def test_every_setting_that_the_documentation_names_exists() -> None:
    text = (REPOSITORY / "docs" / "localcloud.md").read_text()
    known = {field.name.upper() for kind in (Settings, ScoringOptions) for field in fields(kind)} | {"URL", "CA"}

    assert set(re.findall(r"LOCALCLOUD_([A-Z_]+)", text)) <= known
