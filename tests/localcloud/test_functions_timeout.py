"""A function that runs longer than functionTimeout: the worker dies with all that it ran, and a new one comes."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator

import pytest

from tests.localcloud.echo import Echo, running_echo

APP = """
import os, time
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
memory = []

@app.route(route="slow")
def slow(req: func.HttpRequest) -> str:
    time.sleep(60)
    return "never"

@app.route(route="counts")
def counts(req: func.HttpRequest) -> str:
    memory.append(1)
    return f"{os.getpid()} {len(memory)}"
"""
HOST = {
    "version": "2.0",
    "functionTimeout": "00:00:01",
    "extensionBundle": {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"},
}


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Echo]:
    folder = tmp_path_factory.mktemp("timeout")
    app = folder / "app"
    app.mkdir()
    (app / "function_app.py").write_text(APP)
    (app / "host.json").write_text(json.dumps(HOST))
    with running_echo(folder, app=app) as running:
        yield running


def test_a_function_that_runs_too_long_ends_the_worker_whose_successor_remembers_nothing(echo: Echo) -> None:
    # Given a worker that has counted once
    pid, count = echo.call("GET", "/api/counts").body.split()
    assert count == b"1"

    # When a function runs longer than it may
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        echo.call("GET", "/api/slow")

    # Then another worker answers, and counts from the start
    echo.stack.wait_for_functions()
    other, count = echo.call("GET", "/api/counts").body.split()
    assert (other != pid, count) == (True, b"1")
    assert "was exceeded by function 'slow'" in (echo.stack.logs / "functions.log").read_text()


def test_the_hosts_status_tells_what_runs(echo: Echo) -> None:
    key = {"x-functions-key": echo.stack.env["FUNCTIONS_MASTER_KEY"]}

    status = echo.call("GET", "/admin/host/status", headers=key).json
    described = echo.call("GET", "/admin/functions/slow", headers=key).json

    assert (status["state"], status["errors"]) == ("Running", [])
    assert {"instanceId", "computerName", "versionDetails", "processUptime"} <= status.keys()
    assert status["extensionBundle"]["id"] == "Microsoft.Azure.Functions.ExtensionBundle"
    assert {"name": "req", "type": "httpTrigger"}.items() <= described["config"]["bindings"][0].items()
