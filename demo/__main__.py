"""`python -m demo [--data CSV]` (`make demo`): live traffic and five stories; exit code 0 if all is well."""

from __future__ import annotations

import argparse
import fcntl
import shutil
import signal
import sys
from pathlib import Path
from typing import IO

from azure.core.exceptions import AzureError

from demo.data import DataRefused
from demo.monitoring import SetupFailed
from demo.run import Run
from demo.stack import StackFailed
from demo.timeline import Timeline
from demo.web import NotReached

MARKER = "made-by-the-demo"


class FolderRefused(Exception):
    """The folder cannot be used; the text says why."""


def main(arguments: list[str] | None = None) -> int:
    """Play the demo; the exit code."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        held = _fresh(options.folder)
    except FolderRefused as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    timeline = Timeline()
    timeline.start()
    problem, told, good = "", "", False
    with held, Run(options.data, options.folder.resolve(), timeline) as run:
        try:
            run.prepare()
            run.play()
        except (DataRefused, StackFailed, SetupFailed, NotReached, AzureError) as error:
            problem = f"the demo could not begin: {error}\nlogs: {run.logs}"
        except KeyboardInterrupt:
            problem = "stopped"
        if not problem:
            told, good = run.sum_up()
        timeline.stop()
    print(told or problem, flush=True)
    if not good and not problem:
        print(f"\nNot everything went as it should. Logs: {run.logs}", file=sys.stderr)
    return 0 if good else 130 if problem == "stopped" else 1


def _fresh(folder: Path) -> IO[str]:
    """Empty the folder, since what an earlier run left would be taken for this one's, and hold it for this run."""
    marker = folder / MARKER
    if folder.exists() and any(folder.iterdir()) and not marker.exists():
        raise FolderRefused(f"{folder} holds something that no demo made: name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    held = marker.open("a")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FolderRefused(f"another demo runs in {folder}: end it, or name another folder with --folder") from None
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry != marker:
            entry.unlink()
    return held


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--data", type=Path, metavar="CSV", help="real rows with the example scenario's columns")
    parser.add_argument("--folder", type=Path, default=Path(".local/demo"), help="default: %(default)s; emptied first")
    return parser


def _as_interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
