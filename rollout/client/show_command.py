"""`python -m rollout show POLICY TARGET ENDPOINT`: one rollout, once or until it is over."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any

from rollout.client.app import App, NoAnswer, Reply
from rollout.client.known import unknown
from rollout.client.options import DONE, NAMES, REFUSED, add_app, add_place
from rollout.client.screen import Screen
from rollout.client.text import printable
from rollout.client.views import history, page, progress
from rollout.phases import TERMINAL, Phase
from rollout.shell import Shell

EVERY_SECONDS = 5.0


def add(commands: Any, shell: Shell) -> None:
    """Add the command to the parser."""
    show = commands.add_parser("show", help="one rollout: phase, split, evidence, reasons, what waits for somebody")
    add_place(show)
    how = show.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="as the API answers it")
    how.add_argument("--watch", action="store_true", help="stay until it is over; exit status 1 when it did not go out")
    show.add_argument(
        "--every", type=_seconds, default=EVERY_SECONDS, metavar="SECONDS", help="between two looks of --watch (5)"
    )
    add_app(show, _run, shell)


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0.1 <= found <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, 0.1 to 3600")
    return found


def _run(app: App, arguments: argparse.Namespace, shell: Shell) -> int:
    names = tuple(getattr(arguments, name) for name in NAMES)
    reply = app.call("GET", ("rollouts", *names))
    while arguments.watch and reply.status == 404 and (asked := _asked(reply)):
        print(f"not begun yet: {printable(asked)}", flush=True)
        shell.wait(arguments.every)
        reply = app.call("GET", ("rollouts", *names))
    if reply.status != 200:
        told = unknown(app, reply, " ".join(names)) if reply.status == 404 else printable(reply.error)
        print(told, file=sys.stderr)
        return REFUSED
    if arguments.json:
        print(json.dumps(reply.body, indent=2))
        return DONE
    print("\n".join(page(reply.body, shell.clock())))
    return _watched(app, reply.body, arguments.every, shell) if arguments.watch else DONE


def _asked(reply: Reply) -> str:
    """What was asked for where there never was a rollout, and no look has taken in yet."""
    return "; ".join(reply.body.get("unread", ())) if isinstance(reply.body, dict) else ""


def _is_over(rollout: Mapping[str, Any]) -> bool:
    """Whether it has ended and nothing was asked for that may begin another."""
    return rollout["phase"] in TERMINAL and not rollout["unread"]


def _watched(app: App, rollout: Mapping[str, Any], every: float, shell: Shell) -> int:
    """Each new line of the history, and where it stands, until the rollout is over."""
    screen, told = Screen(sys.stdout), {_key(entry) for entry in rollout["history"]}
    print()
    while not _is_over(rollout):
        changed = f"{rollout['phase']} {rollout['step']} {rollout['unread']}"
        screen.status(progress(rollout, shell.clock()), changed=changed)
        shell.wait(every)
        try:
            reply = app.call("GET", ("rollouts", *(rollout[name] for name in NAMES)))
        except NoAnswer as error:
            screen.status(f"{error} Asked again every {every:g} s.", changed=str(error))
            continue
        if reply.status != 200:
            screen.status(printable(reply.error), changed=reply.error)
            continue
        rollout = reply.body
        new = [entry for entry in rollout["history"] if _key(entry) not in told]
        told |= {_key(entry) for entry in new}
        screen.lines(history(new))
    screen.lines([f"{rollout['phase']}: {printable('; '.join(rollout['reasons']))}"])
    taken_back = rollout["kind"] == "rollback" and rollout["phase"] == Phase.ROLLED_BACK
    return DONE if rollout["phase"] == Phase.DONE or taken_back else REFUSED


def _key(entry: Mapping[str, Any]) -> tuple[str, str]:
    return entry["at"], entry["text"]
