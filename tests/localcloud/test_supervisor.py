"""The local stack as a whole: ready when it says so, ended with everything it started, one per folder."""

from __future__ import annotations

import os
import shlex
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from azure.storage.blob import BlobServiceClient

from localcloud import client, run_settings
from localcloud.__main__ import main
from localcloud.processes import STOP_SECONDS, StackFailed
from localcloud.supervisor import Stack
from tests.localcloud.echo import APP, Echo, eventually, running_echo

REPOSITORY = Path(__file__).resolve().parents[2]


def is_up(stack: Stack) -> bool:
    url = f"{stack.env['FUNCTIONS_URL']}/admin/host/ping"
    return client.call("GET", url, ca_file=stack.folder / "ca.pem") is not None


def is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def blob_client(env: Mapping[str, str]) -> BlobServiceClient:
    return BlobServiceClient.from_connection_string(
        env["AZURE_STORAGE_CONNECTION_STRING"], connection_verify=env["LOCALCLOUD_CA"]
    )


@contextmanager
def command(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m localcloud up` with the echo app, as a user starts it."""
    line = [sys.executable, "-m", "localcloud", "up", "--folder", str(folder), "--app", str(APP), *arguments]
    environment = {**os.environ, "ECHO_FILE": str(folder / "seen"), "ECHO_SCHEDULE": "* * * * * *"}
    with subprocess.Popen(line, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until_ready(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if "any script" in line:
            return said
    raise AssertionError(f"not ready: {said}")


def test_the_environment_file_is_shell_and_private_and_holds_what_the_stack_has(echo: Echo) -> None:
    file = echo.stack.env_file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    script = f"set -a; . {shlex.quote(str(file))}; env -0"
    printed = subprocess.run(["sh", "-c", script], env={}, capture_output=True, text=True, check=True).stdout
    sourced = dict(pair.split("=", 1) for pair in printed.split("\0") if pair)
    assert {name: sourced.get(name) for name in echo.stack.env} == echo.stack.env

    pairs = dict(line.split("=", 1) for line in file.read_text().splitlines())
    assert {name: value.strip("'") for name, value in pairs.items()} == echo.stack.env


def test_a_cloud_without_a_functions_host_names_no_address_of_an_app(tmp_path: Path) -> None:
    with command(tmp_path, "--no-functions") as process:
        said = wait_until_ready(process)
        process.terminate()
        assert process.wait(20) == 0

    assert "http://" not in said
    assert "none (--no-functions)" in said


def test_the_environment_file_has_every_key_that_outside_scripts_rely_on(echo: Echo) -> None:
    promised = """
        SUBSCRIPTION_ID RESOURCE_GROUP WORKSPACE REGISTRY REGION LOG_ANALYTICS_WORKSPACE_ID AZUREML_CLOUD_NAME
        AZUREML_CLOUD_METADATA LOCALCLOUD_URL LOCALCLOUD_CA REQUESTS_CA_BUNDLE SSL_CERT_FILE IDENTITY_ENDPOINT
        IDENTITY_HEADER FUNCTIONS_URL FUNCTIONS_KEY FUNCTIONS_MASTER_KEY EVENTGRID_KEY AZURE_STORAGE_CONNECTION_STRING
        APPLICATIONINSIGHTS_CONNECTION_STRING UNDERSTUDY_ROLE UNDERSTUDY_BLOB_URL UNDERSTUDY_QUEUE_URL
    """
    assert set(promised.split()) <= set(echo.stack.env)


def test_a_second_stack_in_the_same_folder_is_refused_and_harms_nothing(echo: Echo) -> None:
    with pytest.raises(StackFailed, match="Another local stack"):
        Stack(echo.stack.folder, app=APP).start()
    assert echo.stack.env_file.exists()
    assert is_up(echo.stack)


def test_a_killed_functions_host_is_started_again_on_the_same_port_with_the_same_keys(tmp_path: Path) -> None:
    with running_echo(tmp_path) as echo:
        before = int((echo.stack.folder / "functions.pid").read_text())

        echo.stack.kill_functions()

        echo.stack.wait_for_functions()
        assert int((echo.stack.folder / "functions.pid").read_text()) != before
        key = {"x-functions-key": echo.stack.env["FUNCTIONS_KEY"]}
        assert echo.call("GET", "/api/echo/x", headers=key).status == 200


def test_a_functions_host_may_be_left_dead_and_started_later(tmp_path: Path) -> None:
    with running_echo(tmp_path) as echo:
        echo.stack.kill_functions(restart=False)
        assert not is_up(echo.stack)
        echo.stack.restart_functions()
        assert is_up(echo.stack)


def test_storage_outlives_the_stack(tmp_path: Path) -> None:
    with running_echo(tmp_path) as first:
        secret = first.stack.env["FUNCTIONS_KEY"]
        first.queue("kept").send_message("still here")
    with running_echo(tmp_path) as second:
        assert [message.content for message in second.queue("kept").peek_messages()] == ["still here"]
        assert second.stack.env["FUNCTIONS_KEY"] == secret


def test_an_open_connection_of_a_client_neither_delays_the_stop_nor_loses_what_was_written(tmp_path: Path) -> None:
    # Given a script that has just written and keeps its connection to storage open
    with Stack(tmp_path / ".local", app=None) as stack:
        client = blob_client(stack.env)
        client.create_container("written-last")

        # When the stack ends, it does so at once
        began = time.monotonic()
    assert time.monotonic() - began < STOP_SECONDS / 2
    client.close()

    # Then what was written is there when it comes back
    with Stack(tmp_path / ".local", app=None) as stack, blob_client(stack.env) as again:
        assert "written-last" in [container.name for container in again.list_containers()]


def test_policies_of_a_folder_are_uploaded_before_the_app_starts(tmp_path: Path) -> None:
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "a.yaml").write_text("name: a\n")
    (policies / "b.yml").write_text("name: b\n")
    (policies / "notes.txt").write_text("no policy")
    with Stack(tmp_path / ".local", app=None, policies=policies) as stack, blob_client(stack.env) as client:
        assert sorted(client.get_container_client("policies").list_blob_names()) == ["a.yaml", "b.yml"]


def test_an_app_that_does_not_index_stops_the_start_and_says_why(tmp_path: Path) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "host.json").write_text('{"version": "2.0"}')
    (app / "function_app.py").write_text("import no_such_module\n")
    with pytest.raises(StackFailed, match="No module named 'no_such_module'"):
        Stack(tmp_path / ".local", app=app).start()
    assert not (tmp_path / ".local" / "env").exists()
    assert not [child for child in psutil.Process().children() if str(tmp_path) in " ".join(child.cmdline())]


@pytest.fixture
def in_a_scripts_background() -> Iterator[None]:
    """A shell starts a script's `command &` with SIGINT ignored: so it is for what this test starts."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.usefixtures("in_a_scripts_background")
def test_the_command_ends_everything_on_a_signal_and_takes_its_environment_file_away(
    tmp_path: Path, number: signal.Signals
) -> None:
    with command(tmp_path) as process:
        said = wait_until_ready(process)
        assert str(tmp_path / "env") in said
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 3

        process.send_signal(number)

        assert process.wait(20) == 0
        assert not [child for child in children if is_alive(child)]
        assert not (tmp_path / "env").exists()


def test_everything_ends_when_the_supervisor_is_killed_and_storage_is_written(tmp_path: Path) -> None:
    with command(tmp_path) as process:
        wait_until_ready(process)
        children = psutil.Process(process.pid).children(recursive=True)
        assert any("azurite" in " ".join(child.cmdline()) for child in children)
        env = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
        with blob_client({name: value.strip("'") for name, value in env.items()}) as client:
            client.create_container("written-last")

        process.kill()

        assert eventually(lambda: not [child for child in children if is_alive(child)])
    with Stack(tmp_path, app=None) as stack, blob_client(stack.env) as again:
        assert "written-last" in [container.name for container in again.list_containers()]


@pytest.mark.parametrize(
    ("arguments", "variable", "words"),
    [
        (["--set", "hour_seconds=1"], {}, "hour_seconds=1: write NAME=VALUE with one of: subscription_id"),
        (["--set", "minute_seconds=soon"], {}, "LOCALCLOUD_MINUTE_SECONDS: 'soon' is not a number"),
        (["--set", "minute_seconds=0"], {}, "LOCALCLOUD_MINUTE_SECONDS: a minute must last"),
        (["--set", "traffic_seconds=-1"], {}, "LOCALCLOUD_TRAFFIC_SECONDS: '-1' must be 0 or more"),
        (["--set", "throttling=maybe"], {}, "LOCALCLOUD_THROTTLING: 'maybe' is not true or false"),
        (["--set", "console_format=blue"], {}, "LOCALCLOUD_CONSOLE_FORMAT: 'blue' is not one of new, old"),
        ([], {"LOCALCLOUD_STEPPED": "sleep"}, "LOCALCLOUD_STEPPED: 'sleep' is not one of operations"),
        ([], {"LOCALCLOUD_MINUTE_SECOND": "1"}, "no such setting. Did you mean LOCALCLOUD_MINUTE_SECONDS?"),
        ([], {"LOCALCLOUD_OPERATION_LOCK": "all"}, "LOCALCLOUD_OPERATION_LOCK: 'all' is not one of endpoint, resource"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line_before_anything_starts(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    variable: dict[str, str],
    words: str,
) -> None:
    for name, value in variable.items():
        monkeypatch.setenv(name, value)

    assert main(["up", "--folder", str(tmp_path / "never"), *arguments]) == 1

    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "never").exists()


def test_settings_come_from_the_pace_then_from_the_environment_then_from_the_command_line() -> None:
    environment = {"LOCALCLOUD_TRAFFIC_SECONDS": "2", "LOCALCLOUD_JOB_SECONDS": "3", "LOCALCLOUD_START_METHOD": "spawn"}

    chosen = run_settings.read(["job_seconds=4", "console_format=old"], "real", environment)

    assert (chosen.cloud.endpoint_seconds, chosen.cloud.traffic_seconds, chosen.cloud.job_seconds) == (30, 2, 4)
    assert (chosen.scoring.start_method, chosen.scoring.console_format) == ("spawn", "old")
