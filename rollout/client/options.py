"""Where the app is and which key opens it: from options and the environment. A key is never an argument."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from rollout.client.app import App, NotAsked
from rollout.shell import Shell

DONE, REFUSED, NOT_ASKED, INTERRUPTED = 0, 1, 2, 130
STATUS = (
    "exit status: 0 done or accepted; 1 the app refused, does not know it, or the rollout ended otherwise than wanted; "
    "2 the app could not be asked (arguments, address, key, no answer)"
)
NAMES = ("policy", "target", "endpoint")
"""What names a rollout."""
ADDRESSES = ("UNDERSTUDY_URL", "FUNCTIONS_URL")
Run: TypeAlias = Callable[[App, argparse.Namespace, Shell], int]


def add_app(parser: argparse.ArgumentParser, run: Run, shell: Shell) -> None:
    """Give a command its options for the app, and what it runs with the app that they name."""
    parser.epilog = STATUS
    parser.add_argument("--url", default="", help="the app's address; default: $UNDERSTUDY_URL or $FUNCTIONS_URL")
    parser.add_argument(
        "--key-file", type=Path, metavar="FILE", help="a file with a function key; default: the key in $FUNCTIONS_KEY"
    )

    def guarded(arguments: argparse.Namespace) -> int:
        try:
            app = App(address(arguments.url, shell.environment), key(arguments.key_file, shell.environment))
            return run(app, arguments, shell)
        except NotAsked as error:
            print(error, file=sys.stderr)
            return NOT_ASKED
        except KeyboardInterrupt:
            print(file=sys.stderr)
            return INTERRUPTED

    parser.set_defaults(run=guarded)


def add_place(parser: argparse.ArgumentParser) -> None:
    """The three names of a rollout, as `list` shows them."""
    for name in NAMES:
        parser.add_argument(name, metavar=name.upper())


def address(given: str, environment: Mapping[str, str]) -> str:
    """The app's address without `/api`; NotAsked when there is none or it is not one."""
    url = given or next((environment[name] for name in ADDRESSES if environment.get(name)), "")
    if not url:
        raise NotAsked("no address of the app: give --url https://APP.azurewebsites.net, or set UNDERSTUDY_URL")
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise NotAsked("the app's address must be like https://APP.azurewebsites.net")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise NotAsked("the app's address has no `?...` and no `user@`: a key belongs into FUNCTIONS_KEY or --key-file")
    return url.rstrip("/").removesuffix("/api")


def key(file: Path | None, environment: Mapping[str, str]) -> str:
    """The function key, or nothing; NotAsked when the file cannot be read or holds none."""
    if file is None:
        found, where = environment.get("FUNCTIONS_KEY", "").strip(), "FUNCTIONS_KEY"
    else:
        where = str(file)
        try:
            found = file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise NotAsked(f"{file} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}") from None
        if not found:
            raise NotAsked(f"{file} is empty: it should hold a function key")
    if not (found.isascii() and found.isprintable()) or " " in found:
        raise NotAsked(f"{where} is not a key: it should hold one line without spaces")
    return found
