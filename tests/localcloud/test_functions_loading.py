"""What a faulty function_app.py comes to: the worker's faults end the whole app, the host's end one function."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from localcloud.functions_host.functions import Function
from localcloud.functions_host.loading import AppFailed, load

HEAD = "import azure.functions as func\napp = func.FunctionApp()\n"


@pytest.fixture(autouse=True)
def clean_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.delitem(sys.modules, "function_app", raising=False)


@pytest.fixture(autouse=True)
def no_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


def load_text(folder: Path, text: str, **environment: str) -> list[Function]:
    (folder / "function_app.py").write_text(HEAD + textwrap.dedent(text))
    return load(folder, environment)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("del app", "Could not find top level function app instances"),
        ("other = func.FunctionApp()", "More than one FunctionApp"),
        ("import os\nos.environ['NO_SUCH_VARIABLE']", "NO_SUCH_VARIABLE"),
        ("this is no python", "SyntaxError"),
        (
            "@app.route(route='a')\ndef f(request: func.HttpRequest) -> str: ...",
            "declared in Python but not in function.json: {'request'}",
        ),
        ("@app.event_grid_trigger(arg_name='event')\ndef f(event: dict) -> None: ...", "does not fit"),
        ("@app.event_grid_trigger(arg_name='event')\ndef f(event: list[str]) -> None: ...", "does not fit"),
        (
            "@app.queue_trigger(arg_name='m', queue_name='q', connection='C')\ndef f(m: int) -> None: ...",
            "does not fit",
        ),
        ("@app.function_name('f')\ndef f() -> None: ...", "f"),
        (
            "@app.timer_trigger(schedule='* * * * * *', arg_name='t')\n"
            "@app.retry(strategy='exponential_backoff', max_retry_count='3', minimum_interval='00:00:01')\n"
            "def f(t: func.TimerRequest) -> None: ...",
            "maximum_interval is missing",
        ),
    ],
)
def test_a_fault_of_the_code_ends_the_whole_app_and_is_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(AppFailed) as caught:
        load_text(tmp_path, text)
    assert reason in str(caught.value)


def test_a_folder_without_an_app_says_so(tmp_path: Path) -> None:
    with pytest.raises(AppFailed, match=r"no function_app\.py"):
        load(tmp_path, {})


def test_an_app_without_functions_is_no_error(tmp_path: Path) -> None:
    assert load_text(tmp_path, "") == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("@app.route(route='runtime-status')\ndef f(req: func.HttpRequest) -> str: ...", "conflicts with one or more"),
        ("@app.timer_trigger(schedule='nonsense', arg_name='t')\ndef f(t: func.TimerRequest) -> None: ...", "NCRONTAB"),
        ("@app.timer_trigger(schedule='%UNSET%', arg_name='t')\ndef f(t: func.TimerRequest) -> None: ...", "%UNSET%"),
        ("@app.function_name('1f')\n@app.route(route='a')\ndef f(req: func.HttpRequest) -> str: ...", "not a valid"),
        (
            "@app.route(route='good', methods=['GET'])\ndef f(req: func.HttpRequest) -> str: ...",
            "used by another function",
        ),
        (
            "@app.blob_trigger(arg_name='b', path='c/{n}', connection='C')\ndef f(b: func.InputStream) -> None: ...",
            "runs no blobTrigger",
        ),
        (
            "@app.route(route='a')\n@app.queue_output(arg_name='out', queue_name='q', connection='C')\n"
            "def f(req: func.HttpRequest, out: func.Out[str]) -> str: ...",
            "no bindings beside triggers: queue",
        ),
        (
            "@app.route(route='a')\n@app.blob_input(arg_name='b', path='c/x', connection='C')\n"
            "def f(req: func.HttpRequest, b: str) -> str: ...",
            "no bindings beside triggers: blob",
        ),
    ],
)
def test_a_fault_that_only_the_host_sees_ends_that_function_alone(tmp_path: Path, text: str, reason: str) -> None:
    good = "@app.route(route='good')\ndef good(req: func.HttpRequest) -> str: ...\n"
    first, second = load_text(tmp_path, good + text)
    assert first.problem is None
    assert second.problem is not None
    assert reason in second.problem


def test_the_same_route_may_serve_different_methods_by_different_functions(tmp_path: Path) -> None:
    text = """
        @app.route(route='a', methods=['GET'])
        def read(req: func.HttpRequest) -> str: ...
        @app.route(route='a', methods=['POST'])
        def write(req: func.HttpRequest) -> str: ...
    """
    assert [one.problem for one in load_text(tmp_path, text)] == [None, None]


def test_a_function_is_switched_off_by_its_setting(tmp_path: Path) -> None:
    text = "@app.route(route='a')\ndef f(req: func.HttpRequest) -> str: ..."
    (function,) = load_text(tmp_path, text, **{"AzureWebJobs.f.Disabled": "true"})
    assert not function.runs
