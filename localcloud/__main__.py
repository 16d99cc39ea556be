"""`python -m localcloud`: a local Azure Machine Learning on this machine, with the app running on it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from localcloud.paces import PACES
from localcloud.processes import StackFailed

_UP = """\
Starts Azurite, the local cloud and a Functions host with the app of --app, writes FOLDER/env when everything answers,
and stays in front until Ctrl-C. In another shell: set -a; . FOLDER/env; set +a
"""

_ABOUT = """\
While it runs, LOCALCLOUD_URL (in FOLDER/env) has doors that Azure has not:
  GET  /localcloud          what runs: endpoints, deployments, traffic, operations, faults, recent requests
  POST /localcloud/faults   what shall go wrong next: {"kind": "http", "match": "^PUT ", "times": 1, "status": 429}
  POST /localcloud/step     with `up --pace stepped`: let operations, ingestion and alerts go one step on

docs/localcloud.md says what is like Azure, what is not, and lists every fault. `up --help` lists every setting.
"""


class _Parser(argparse.ArgumentParser):
    """Looks up what is below the options only when somebody asks for help."""

    more: Callable[[], str] = staticmethod(lambda: "")

    def format_help(self) -> str:
        self.epilog = self.epilog or self.more()
        return super().format_help()


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code."""
    options = parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except StackFailed as error:
        print(f"localcloud: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0  # Ctrl-C and SIGTERM are the ordinary ways to end it


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = _Parser(
        prog="python -m localcloud", description=__doc__, epilog=_ABOUT, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    up = commands.add_parser(
        "up", help="run a whole local stack until Ctrl-C", description=_UP, formatter_class=top.formatter_class
    )
    up.more = _settings_help
    up.add_argument("--folder", type=Path, default=Path(".local"), help="keys, data and logs (default: %(default)s)")
    up.add_argument("--policies", type=Path, help="folder of policy files to upload at start")
    up.add_argument("--app", type=Path, help="folder of function_app.py (default: this repository)")
    up.add_argument("--with-parent", action="store_true", help="end when the process that started this one ends")
    up.add_argument("--no-functions", action="store_true", help="the local cloud alone, without a Functions host")
    up.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="one of the settings below; may be repeated"
    )
    up.add_argument(
        "--pace",
        choices=list(PACES),
        default="short",
        help="durations of Azure's own work: short (default), about as on Azure, or by POST /localcloud/step;\n"
        "LOCALCLOUD_<NAME> and --set go over it",
    )
    up.set_defaults(run=_run_up)

    _add_parts(commands)
    return top


def _add_parts(commands: argparse._SubParsersAction[_Parser]) -> None:
    """What `up` starts; nobody types it."""
    cloud = commands.add_parser("cloud", help="the cloud process alone (started by `up`, which tells it more on stdin)")
    cloud.set_defaults(run=_run_cloud)
    host = commands.add_parser("host", help="the Functions host alone (started by `up`)")
    host.add_argument("--app", type=Path, required=True, help="folder of function_app.py and host.json")
    host.add_argument(
        "--http-answer-seconds", type=float, default=230.0, help="the longest wait for an HTTP function's answer"
    )
    host.set_defaults(run=_run_host)
    for part in (cloud, host):
        part.add_argument("--folder", type=Path, required=True, help="the stack's folder")
        part.add_argument("--port", type=int, required=True, help="where to listen")


def _run_up(options: argparse.Namespace) -> int:
    from localcloud import run_settings
    from localcloud.supervisor import REPOSITORY, Stack

    try:
        chosen = run_settings.read(options.set, options.pace)
    except ValueError as error:
        raise StackFailed(str(error)) from error
    app = None if options.no_functions else options.app or REPOSITORY
    started, parent = time.monotonic(), os.getppid()
    for number in (signal.SIGINT, signal.SIGTERM):  # a script's `up &` starts with SIGINT ignored
        signal.signal(number, _as_interrupt)
    print("localcloud: starting ...", flush=True)
    with Stack(
        options.folder, app=app, policies=options.policies, settings=chosen.cloud, scoring=chosen.scoring
    ) as stack:
        _print_addresses(stack.env, stack.env_file, time.monotonic() - started, has_app=app is not None)
        while (failure := stack.failure) is None:
            if options.with_parent and os.getppid() != parent:
                return 0
            time.sleep(0.5)
        raise StackFailed(failure)


def _settings_help() -> str:
    from localcloud import run_settings

    return run_settings.help_text()


def _print_addresses(env: dict[str, str], env_file: Path, seconds: float, *, has_app: bool) -> None:
    rows = {
        "Azure (ARM, logs, metrics)": env["LOCALCLOUD_URL"],
        "What runs, as a page": env["LOCALCLOUD_URL"] + "/localcloud",
        "Storage, blobs": env["UNDERSTUDY_BLOB_URL"],
        "Storage, queues": env["UNDERSTUDY_QUEUE_URL"],
        "The app": env["FUNCTIONS_URL"] if has_app else "none (--no-functions)",
        "Environment for scripts": str(env_file),
        "Logs": str(env_file.parent / "logs"),
    }
    print(f"localcloud: ready after {seconds:.1f} s. Ctrl-C ends it.\n")
    for name, value in rows.items():
        print(f"  {name:<28}{value}")
    print(f"\n  set -a; . {env_file}; set +a      then run any script with the real SDKs", flush=True)


def _as_interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _run_cloud(options: argparse.Namespace) -> int:
    from localcloud import cloud_process

    return cloud_process.run(options.folder, options.port)


def _run_host(options: argparse.Namespace) -> int:
    from localcloud.functions_host import process

    return process.run(options.app, options.folder, options.port, options.http_answer_seconds)


if __name__ == "__main__":
    sys.exit(main())
