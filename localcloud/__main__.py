"""`python -m localcloud`: a local Azure Machine Learning on this machine, with the app running on it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from dataclasses import fields
from pathlib import Path

from localcloud import settings
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


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except StackFailed as error:
        print(f"localcloud: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0  # Ctrl-C and SIGTERM are the ordinary ways to end it


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m localcloud", description=__doc__, epilog=_ABOUT, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    up = commands.add_parser(
        "up", help="run a whole local stack until Ctrl-C", description=_UP, epilog=_settings_help()
    )
    up.formatter_class = argparse.RawTextHelpFormatter
    up.add_argument("--folder", type=Path, default=Path(".local"), help="keys, data and logs (default: %(default)s)")
    up.add_argument("--policies", type=Path, help="folder of policy files to upload at start")
    up.add_argument("--app", type=Path, help="folder of function_app.py (default: this repository)")
    up.add_argument("--with-parent", action="store_true", help="end when the process that started this one ends")
    up.add_argument("--no-functions", action="store_true", help="the local cloud alone, without a Functions host")
    up.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of localcloud/settings.py"
    )
    up.add_argument(
        "--pace",
        choices=list(PACES),
        default="short",
        help="durations of Azure's own work: short (default), about as on Azure, or by POST /localcloud/step",
    )
    up.set_defaults(run=_run_up)

    cloud = commands.add_parser("cloud", help="the cloud process alone (started by `up`)")
    cloud.add_argument("--folder", type=Path, required=True)
    cloud.add_argument("--port", type=int, required=True)
    cloud.set_defaults(run=_run_cloud)

    host = commands.add_parser("host", help="the Functions host alone (started by `up`)")
    host.add_argument("--app", type=Path, required=True)
    host.add_argument("--folder", type=Path, required=True)
    host.add_argument("--port", type=int, required=True)
    host.set_defaults(run=_run_host)
    return parser


def _run_up(options: argparse.Namespace) -> int:
    from localcloud.supervisor import REPOSITORY, Stack

    app = None if options.no_functions else options.app or REPOSITORY
    started, parent = time.monotonic(), os.getppid()
    signal.signal(signal.SIGTERM, _as_interrupt)
    print("localcloud: starting ...", flush=True)
    with Stack(
        options.folder, app=app, policies=options.policies, settings=_settings(options.set, options.pace)
    ) as stack:
        _print_addresses(stack.env, stack.env_file, time.monotonic() - started)
        while (failure := stack.failure) is None:
            if options.with_parent and os.getppid() != parent:
                return 0
            time.sleep(0.5)
        raise StackFailed(failure)


def _settings_help() -> str:
    """Every setting with its default, from the one place where they are."""
    known = [f"  {field.name}={field.default}" for field in fields(settings.Settings)]
    return "settings for --set, or LOCALCLOUD_<NAME> in the environment:\n" + "\n".join(known)


def _settings(pairs: list[str], pace: str) -> settings.Settings:
    given = {f"LOCALCLOUD_{name.upper()}": value for name, value in PACES[pace].items()} | dict(os.environ)
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or name not in settings.Settings.__dataclass_fields__:
            known = ", ".join(settings.Settings.__dataclass_fields__)
            raise StackFailed(f"--set {pair}: write NAME=VALUE with one of: {known}")
        given[f"LOCALCLOUD_{name.upper()}"] = value
    try:
        return settings.from_environment(given)
    except ValueError as error:
        raise StackFailed(str(error)) from error


def _print_addresses(env: dict[str, str], env_file: Path, seconds: float) -> None:
    rows = {
        "Azure (ARM, logs, metrics)": env["LOCALCLOUD_URL"],
        "What runs, as a page": env["LOCALCLOUD_URL"] + "/localcloud",
        "Storage, blobs": env["UNDERSTUDY_BLOB_URL"],
        "Storage, queues": env["UNDERSTUDY_QUEUE_URL"],
        "The app": env["FUNCTIONS_URL"] + "/api",
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

    return process.run(options.app, options.folder, options.port)


if __name__ == "__main__":
    sys.exit(main())
