"""`GET /localcloud`: what runs, on one page for people, and the command line's help."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from localcloud.faults import FAULTS
from localcloud.settings import Settings
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

    assert headings == ["Endpoints", "Deployments", "Operations", "Faults", "Steps", "Recent requests"]
    assert "<td>blue 100</td>" in page
    assert re.search("<td>PUT</td><td>/subscriptions/[^<]*/deployments/blue</td><td>201</td>", page)


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


def test_the_help_lists_every_command_and_every_setting() -> None:
    def help_of(*command: str) -> str:
        run = [sys.executable, "-m", "localcloud", *command, "--help"]
        return subprocess.run(run, capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout

    assert {"up", "cloud", "host"} <= set(help_of().split())
    shown = help_of("up")
    assert not [field.name for field in fields(Settings) if f"  {field.name}=" not in shown]
