"""`python -m rollout`: what people do with rollouts from a shell. Each command is in a file of its own."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

from rollout import freeze_command, replay_command
from rollout.client import ask_command, list_command, show_command
from rollout.shell import Shell

COMMANDS = (list_command.add, show_command.add, ask_command.add, freeze_command.add, replay_command.add)
"""Each adds its commands to the parser, with `run` set to a function of the arguments that answers the exit status."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status is 0 when it was done."""
    parser = argparse.ArgumentParser(prog="python -m rollout", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    shell = Shell(lambda: datetime.now(UTC), lambda: uuid4().hex, os.environ)
    for add in COMMANDS:
        add(commands, shell)
    chosen = parser.parse_args(arguments)
    status: int = chosen.run(chosen)
    return status


if __name__ == "__main__":
    sys.exit(main())
