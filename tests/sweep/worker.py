"""The app's worker process: told what to do over stdin, and forked for each life, so that a life costs no imports.

    python -m tests.sweep.worker FOLDER

Orders and answers are lines of JSON; what a life does is in `life.py`.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import sys
from pathlib import Path

from tests.sweep.life import live

AT_ONCE = (
    "azure.ai.ml",
    "azure.core.messaging",
    "azure.eventgrid",
    "azure.identity",
    "azure.monitor.opentelemetry.exporter",
    "azure.monitor.query",
    "azure.storage.blob",
    "azure.storage.queue",
    "cloud.identity",
    "function_app",
    "opentelemetry.sdk._logs.export",
    "rollout.discover",
    "rollout.doctor.start",
    "rollout.intake",
    "rollout.publish",
    "rollout.reconcile",
    "rollout.wiring",
    "ruamel.yaml",
)
"""What the app imports only where it needs it."""


def main(folder: Path) -> None:
    """Fork a life for every order, and say how each ended."""
    for name in AT_ONCE:
        importlib.import_module(name)
    gc.freeze()  # a collection in a life would copy every page that is shared with this process
    print(json.dumps({"ready": True}), flush=True)
    lives: dict[int, str] = {}
    while True:
        readable, _, _ = select.select([sys.stdin], [], [], 0.01)
        if readable:
            line = sys.stdin.readline()
            if not line:
                return
            order = json.loads(line)
            if (pid := os.fork()) == 0:
                status = 1
                try:
                    status = live(order, folder)
                finally:
                    sys.stderr.flush()
                    os._exit(status)
            lives[pid] = order["life"]
        while lives:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            print(json.dumps({"life": lives.pop(pid), "status": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
