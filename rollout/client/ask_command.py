"""`python -m rollout promote | rollback | ... POLICY TARGET ENDPOINT --reason TEXT`: what people ask of a rollout."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from rollout.client.app import App, NoAnswer
from rollout.client.known import unknown
from rollout.client.options import DONE, NAMES, REFUSED, Run, add_app, add_place
from rollout.client.text import printable
from rollout.shell import Shell

HELP = {
    "start": "begin a rollout of a version",
    "promote": "give the candidate all traffic now",
    "advance": "end the present step; never an approval",
    "rollback": "send all traffic back now",
    "pause": "stay where it is until `resume`",
    "resume": "end a pause, or what alerts hold",
    "approve": "give the approval that it waits for",
    "reject": "refuse it: the traffic goes back",
    "retry": "try again what was held, or a version that failed",
}
"""Each command of the door; a test keeps the two the same."""


def add(commands: Any, shell: Shell) -> None:
    """Add the commands to the parser."""
    for action, text in HELP.items():
        parser = commands.add_parser(action, help=text, description=text)
        add_place(parser)
        parser.add_argument("--reason", required=True, metavar="TEXT", help="why; it stays in the rollout's history")
        parser.add_argument(
            "--id", default="", help="a name of your own: the same id is done once and answered the same; default: new"
        )
        parser.add_argument(
            "--record", type=int, metavar="N", help="refuse it if the rollout moved on since `show` told this record"
        )
        if action == "start":
            parser.add_argument("--model-version", metavar="V", help="the version; default: the newest that may")
        parser.add_argument("--json", action="store_true", help="print the app's answer")
        add_app(parser, _asking(action), shell)


def _asking(action: str) -> Run:
    return lambda app, arguments, shell: _ask(app, action, arguments, shell.new_id)


def _ask(app: App, action: str, arguments: argparse.Namespace, new_id: Callable[[], str]) -> int:
    names = tuple(getattr(arguments, name) for name in NAMES)
    body = {"id": arguments.id or new_id(), "reason": arguments.reason}
    if arguments.record is not None:
        body["record"] = arguments.record
    if getattr(arguments, "model_version", None) is not None:
        body["model_version"] = arguments.model_version
    try:
        reply = app.call("POST", ("rollouts", *names, action), body)
    except NoAnswer as error:
        again = f"it may have arrived: give the command again with --id {body['id']}, which does it once"
        raise NoAnswer(f"{error}\n{again}") from None
    if arguments.json:
        print(json.dumps(reply.body, indent=2))
        return DONE if reply.status == 202 else REFUSED
    if reply.status == 202:
        print(f"accepted: {action} of {printable('/'.join(names))}, id {printable(body['id'])}")
        if reply.body.get("note"):
            print(printable(reply.body["note"]))
        print(f"see what it does: python -m rollout show {printable(' '.join(names))} --watch")
        return DONE
    why = unknown(app, reply, " ".join(names)) if reply.status == 404 else printable(reply.error)
    print(f"refused: {why}", file=sys.stderr)
    return REFUSED
