"""The app's worker process: told what to do over stdin, and forked for each life, so that a life costs no imports.

    python -m tests.sweep.worker
    {"life": "3", "place": ["policy", "target", "endpoint"], "kill": {"call": 12, "after": true},
     "alert": "", "approve": "", "ends": ["2", "done"], "seconds": 60}

A life does what the app's doors do for one endpoint: discovery, every look that is due, an alert in the canary and an
approval, both sent again until they were answered, as their senders do. It ends when the rollout of the last version
is over and nothing is left to look at, or at the call where it is killed. Answers are lines of JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.sweep.calls import Novelty, Point, Watch

if TYPE_CHECKING:
    from rollout.record import Record

LOOK_SECONDS = 0.03
DISCOVER_SECONDS = 0.5
OUT_OF_TIME = 3
HEAVY = ("azure.ai.ml", "azure.storage.blob", "azure.storage.queue", "azure.monitor.query", "azure.identity")
NEVER = timedelta(minutes=1)
"""A look that is due later than this is not waited for."""


def live(order: dict[str, Any], folder: Path) -> int:
    """One life; its exit status. It leaves its calls in `<life>.calls`, or in `<life>.died` where it was killed."""
    import function_app
    from rollout.discover import discover
    from rollout.phases import Phase
    from rollout.reconcile import look

    context = function_app.context()
    kept = context.store.load(*order["place"])
    phase = kept.record.phase.value if kept else "none"
    watch = Watch(_kill_at(order["kill"]), folder / f"{order['life']}.died", phase)
    until, discovered, looks = time.monotonic() + order["seconds"], 0.0, list[str]()
    while (began := time.monotonic()) < until:
        if began - discovered > DISCOVER_SECONDS:
            discover(context)
            discovered = began = time.monotonic()
        record = look(context, *order["place"]).record
        if record is not None:
            looks.append(f"{watch.phase} {time.monotonic() - began:.4f}")
            watch.phase = record.phase.value
            watch.settled = record.since is not None and record.phase is not Phase.DEPLOYING
            _told(order, folder, record)
            over = record.next_look is None or record.next_look > context.clock() + NEVER
            if [record.version, record.phase.value] == order["ends"] and over:
                (folder / f"{order['life']}.calls").write_text("\n".join(watch.calls))
                (folder / f"{order['life']}.looks").write_text("\n".join(looks))
                return 0
        due = LOOK_SECONDS
        if record is not None and record.next_look is not None:
            due = (record.next_look - context.clock()).total_seconds()
        time.sleep(min(max(due, LOOK_SECONDS), DISCOVER_SECONDS))
    return OUT_OF_TIME


def _kill_at(raw: dict[str, Any] | None) -> Point | Novelty | None:
    if raw is None:
        return None
    return Novelty(frozenset(raw["died_at"])) if "died_at" in raw else Point(raw["call"], raw["after"])


def _told(order: dict[str, Any], folder: Path, record: Record) -> None:
    """Send the alert or the approval that is due, unless it was answered in this life or an earlier one."""
    import azure.functions as func

    import function_app

    answered = folder / f"{order['place'][2]}.answered"
    if answered.exists():
        return
    if order["alert"] and record.phase.value == "canary":
        request = func.HttpRequest("POST", "http://localhost/api/alerts", body=order["alert"].encode())
        answer = function_app.on_alert(request)
    elif order["approve"] == record.version and record.phase.value == "awaiting_approval":
        route = dict(zip(("policy", "target", "endpoint"), order["place"], strict=True)) | {"action": "approve"}
        body = json.dumps({"id": "the-approval", "reason": "looks good"}).encode()
        request = func.HttpRequest("POST", "http://localhost/api/rollouts", body=body, route_params=route)
        answer = function_app.command_rollout(request)
    else:
        return
    if answer.status_code == 202:
        answered.touch()


def main(folder: Path) -> None:
    """Fork a life for every order, and say how each ended."""
    for name in HEAVY:
        importlib.import_module(name)
    importlib.import_module("function_app")
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
