"""`python -m rollout list`: every rollout, or those of some policies or phases, as a table."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from rollout.client.app import App
from rollout.client.options import DONE, REFUSED, add_app
from rollout.client.text import printable
from rollout.client.views import table
from rollout.phases import Phase
from rollout.shell import Shell


def add(commands: Any, shell: Shell) -> None:
    """Add the command to the parser."""
    listed = commands.add_parser("list", help="every rollout: phase, split, flags, why")
    listed.add_argument("--policy", action="append", default=[], metavar="NAME", help="only this one; may be repeated")
    phases = [phase.value for phase in Phase]
    listed.add_argument(
        "--phase", action="append", default=[], choices=phases, metavar="PHASE", help=f"only these: {', '.join(phases)}"
    )
    listed.add_argument("--json", action="store_true", help="as the API answers it")
    add_app(listed, _run, shell)


def _run(app: App, arguments: argparse.Namespace, shell: Shell) -> int:
    reply = app.call("GET", ("rollouts",))
    if reply.status != 200:
        print(printable(reply.error), file=sys.stderr)
        return REFUSED
    chosen = [
        one
        for one in reply.body
        if (not arguments.policy or one["policy"] in arguments.policy)
        and (not arguments.phase or one["phase"] in arguments.phase)
    ]
    if arguments.json:
        print(json.dumps(chosen, indent=2))
    elif chosen:
        print("\n".join(table(chosen, shell.clock())))
    elif reply.body:
        policies = ", ".join(sorted({one["policy"] for one in reply.body}))
        print(f"none of {len(reply.body)} rollouts is such; policies with rollouts: {printable(policies)}")
    else:
        print("no rollouts yet: one begins when a version is registered that a policy in force names, or by `start`")
    return DONE
