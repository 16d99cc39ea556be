"""Limits of the Functions host: the wait for an HTTP answer, the size of a body, repeated timer runs, one listener."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.environment import for_child
from localcloud.functions_host.options import read
from localcloud.functions_host.retry_policy import RetryPolicy
from localcloud.settings import Settings
from localcloud.supervisor import Stack
from tests.localcloud.echo import Echo, eventually

APP = """
import json, os, threading
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
go_on = threading.Event()

def seen(kind, **what):
    with open(os.environ["ECHO_FILE"], "a") as file:
        file.write(json.dumps({"kind": kind, "pid": os.getpid(), **what}) + "\\n")

@app.route(route="waits")
def waits(req: func.HttpRequest) -> str:
    seen("answered", released=go_on.wait(20))
    return "late"

@app.route(route="release")
def release(req: func.HttpRequest) -> str:
    go_on.set()
    return req.get_body().decode()

@app.route(route="off")
def off(req: func.HttpRequest) -> str:
    return "on"

@app.timer_trigger(schedule="0 0 0 1 1 *", arg_name="timer", run_on_startup=True)
def at_start(timer: func.TimerRequest) -> None:
    seen("at start", past_due=timer.past_due)

@app.timer_trigger(schedule="* * * * * *", arg_name="timer")
@app.retry(strategy="fixed_delay", max_retry_count="2", delay_interval="00:00:00.01")
def flaky(timer: func.TimerRequest, context: func.Context) -> None:
    tries = context.retry_context
    seen("flaky", retry=tries.retry_count, most=tries.max_retry_count)
    raise RuntimeError("every run fails")
"""


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Echo]:
    """A host that leaves an HTTP function little time and room."""
    folder = tmp_path_factory.mktemp("limited")
    app, file = folder / "app", folder / "seen"
    app.mkdir()
    (app / "function_app.py").write_text(APP)
    (app / "host.json").write_text('{"version": "2.0"}')
    extra = {"ECHO_FILE": str(file), "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "10", "AzureWebJobs.off.Disabled": "true"}
    with Stack(folder / ".local", app=app, settings=Settings(http_answer_seconds=0.3), extra=extra) as stack:
        yield Echo(stack, file)


def test_a_caller_waits_only_so_long_for_an_answer_and_the_function_goes_on(limited: Echo) -> None:
    assert limited.call("GET", "/api/waits").status == 504
    assert not limited.seen("answered")

    limited.call("GET", "/api/release")

    assert eventually(lambda: limited.seen("answered", released=True))


def test_a_body_over_the_limit_of_the_app_setting_is_refused(limited: Echo) -> None:
    assert limited.call("POST", "/api/release", body=b"1234567890").body == b"1234567890"
    assert limited.call("POST", "/api/release", body=b"12345678901").status == 413


def test_a_function_that_is_switched_off_is_there_for_the_master_key_only(limited: Echo) -> None:
    master = {"x-functions-key": limited.stack.env["FUNCTIONS_MASTER_KEY"]}

    assert limited.call("GET", "/api/off").status == 404
    assert limited.call("GET", "/api/off", headers=master).body == b"on"


def test_a_timer_that_runs_on_start_up_does_so_once_and_is_not_past_due(limited: Echo) -> None:
    assert eventually(lambda: limited.seen("at start"))
    assert [one["past_due"] for one in limited.seen("at start", pid=limited.seen("at start")[0]["pid"])] == [False]


def test_what_host_json_leaves_out_is_as_on_azure(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text('{"version": "2.0"}')

    options = read(tmp_path)

    assert (options.batch_size, options.new_batch_threshold) == (16, 8 * (os.cpu_count() or 1))
    assert (options.max_dequeue_count, options.visibility_timeout.total_seconds()) == (5, 0)
    assert options.function_timeout is not None
    assert options.function_timeout.total_seconds() == 1800


def test_a_timers_failed_run_is_repeated_as_its_retry_policy_says_and_then_given_up(limited: Echo) -> None:
    eventually(lambda: len(limited.seen("flaky")) >= 6)

    assert [(one["retry"], one["most"]) for one in limited.seen("flaky")[:6]] == [(0, 2), (1, 2), (2, 2)] * 2


def test_a_second_host_listens_for_timers_only_when_the_first_is_gone(limited: Echo) -> None:
    # Given two hosts of one app
    stack = limited.stack
    app = str(stack.folder.parent / "app")
    command = [sys.executable, "-m", "localcloud", "host", "--app", app, "--folder", str(stack.folder), "--port", "0"]
    with subprocess.Popen(
        command, env=for_child(stack.env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as second:
        try:
            assert second.stdout is not None
            assert any("Host started" in line for line in second.stdout)

            # When timers fire, only the first one's run
            pids = len(limited.seen("flaky"))
            eventually(lambda: len(limited.seen("flaky")) >= pids + 6)
            assert not limited.seen("flaky", pid=second.pid)

            # Then the second takes over from a first that died
            stack.kill_functions(restart=False)
            assert eventually(lambda: limited.seen("flaky", pid=second.pid))
        finally:
            second.send_signal(signal.SIGKILL)
            stack.restart_functions()


@pytest.mark.parametrize(
    ("given", "pauses"),
    [
        ({"strategy": "fixed_delay", "max_retry_count": "3", "delay_interval": "00:00:10"}, [10, 10, 10]),
        (
            {
                "strategy": "exponential_backoff",
                "max_retry_count": "-1",
                "minimum_interval": "00:00:02",
                "maximum_interval": "00:00:07",
            },
            [2, 4, 7],
        ),
    ],
)
def test_a_retry_policys_pauses_are_those_of_its_strategy(given: dict[str, Any], pauses: list[float]) -> None:
    policy = RetryPolicy.read(given)

    assert [policy.pause(failures) for failures in (1, 2, 3)] == pauses
    assert policy.allows(3)
    assert policy.allows(4) == (given["max_retry_count"] == "-1")
