"""`python -m rollout freeze | unfreeze | freezes`: stop everything that goes forward, and let it go on.

Works on the storage account of `UNDERSTUDY_BLOB_URL`, as whoever is signed in: it needs no running app, so that an
incident can be frozen while the app is down.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from cloud.blobs import Blobs
from cloud.errors import CloudError
from cloud.identity import signed_in
from cloud.settings import Settings
from policy.durations import parse
from rollout.codec import moment, stamp
from rollout.freeze_scopes import unknown
from rollout.freezes import BadFreeze, Freezes, made
from rollout.frozen import NEVER
from rollout.shell import Shell

Run = Callable[[Blobs, argparse.Namespace, Shell], int]


def add(commands: Any, shell: Shell) -> None:
    """Add the three commands to the parser."""
    freeze = commands.add_parser("freeze", help="nothing in the scope goes forward until then; going back always may")
    freeze.add_argument("scope", metavar="SCOPE", help="all, POLICY, POLICY/TARGET or POLICY/TARGET/ENDPOINT")
    freeze.add_argument("--reason", required=True, help="why, for those who see it")
    end = freeze.add_mutually_exclusive_group(required=True)
    end.add_argument("--for", dest="lasting", type=_lasting, metavar="DURATION", help="such as 2h or 3d")
    end.add_argument("--until", type=_moment, metavar="TIME", help="such as 2026-12-27T08:00:00Z")
    you = next((shell.environment[name] for name in ("USER", "LOGNAME", "USERNAME") if shell.environment.get(name)), "")
    freeze.add_argument("--owner", default=you, help=f"whom to ask (default: {you or 'none here, so give it'})")
    freeze.add_argument("--id", default="", help="a name of your own, such as year-end; default: made from the time")
    freeze.set_defaults(run=_guarded(_freeze, shell))
    unfreeze = commands.add_parser("unfreeze", help="end a freeze now")
    unfreeze.add_argument("id", metavar="ID")
    unfreeze.set_defaults(run=_guarded(_unfreeze, shell))
    listed = commands.add_parser("freezes", help="list the freezes, those that ended in the last day included")
    listed.set_defaults(run=_guarded(_list, shell))


def _lasting(text: str) -> timedelta:
    try:
        return parse(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from None


def _moment(text: str) -> datetime:
    try:
        return moment(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2026-12-27T08:00:00Z") from None


def _guarded(run: Run, shell: Shell) -> Callable[[argparse.Namespace], int]:
    def guarded(arguments: argparse.Namespace) -> int:
        url = Settings.value(shell.environment, "blob_url")
        if not url:
            print("UNDERSTUDY_BLOB_URL is not set: give the app's storage account", file=sys.stderr)
            return 2
        try:
            return run(Blobs(url, signed_in(shell.environment)), arguments, shell)
        except (CloudError, BadFreeze) as error:
            print(error, file=sys.stderr)
            return 1

    return guarded


def _freezes(blobs: Blobs, shell: Shell) -> Freezes:
    return Freezes(blobs, shell.clock, timedelta())


def _freeze(blobs: Blobs, arguments: argparse.Namespace, shell: Shell) -> int:
    now = shell.clock()
    until = arguments.until or now + arguments.lasting
    identity = arguments.id or f"{now:%Y%m%dT%H%M%SZ}-{shell.new_id()[:6]}"
    freeze = made(identity, arguments.scope, arguments.owner, arguments.reason, until, now)
    nothing = unknown(freeze.scope, blobs)
    if nothing:
        raise BadFreeze(nothing)
    if not _freezes(blobs, shell).add(freeze):
        print(f"there is a freeze {identity} already: unfreeze it, or give another --id", file=sys.stderr)
        return 1
    print(f"{identity}: {freeze.scope} is frozen until {stamp(freeze.until)}")
    return 0


def _unfreeze(blobs: Blobs, arguments: argparse.Namespace, shell: Shell) -> int:
    if not _freezes(blobs, shell).remove(arguments.id):
        print(f"there is no freeze {arguments.id}: `python -m rollout freezes` lists them", file=sys.stderr)
        return 1
    print(f"{arguments.id} is over")
    return 0


def _list(blobs: Blobs, arguments: argparse.Namespace, shell: Shell) -> int:  # noqa: ARG001
    now = shell.clock()
    rows = [("id", "scope", "state", "until", "owner", "reason")]
    for one in sorted(_freezes(blobs, shell).all(), key=lambda freeze: freeze.until):
        until = "mended" if one.until == NEVER else f"{one.until.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
        rows.append((one.id, one.scope, "frozen" if one.until > now else "over", until, one.owner, one.reason))
    if len(rows) == 1:
        print("nothing is frozen by hand; a policy's own windows stand in the policy")
        return 0
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        print("  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[-1]]))
    return 0
