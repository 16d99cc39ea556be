"""Secrets of one local stack: made once per folder, kept in `secrets.json` (0600), never logged.

The supervisor, the cloud process and the Functions host read the same file, so a restarted process keeps its keys and
a key never appears on a command line.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, fields
from pathlib import Path

from localcloud.files import write_private

_FILE = "secrets.json"


@dataclass(frozen=True, repr=False)
class Secrets:
    """All keys of one stack."""

    identity_header: str
    """What a caller of the managed identity endpoint must present."""
    token_signing_key: str
    functions_master_key: str
    functions_host_key: str
    """Opens every `function` level door, of all functions."""
    eventgrid_key: str
    """The Functions host's system key `eventgrid_extension`, and the aeg-sas-key of the local custom topics."""


def load(folder: Path) -> Secrets:
    """The folder's secrets; made on first use."""
    path = folder / _FILE
    names = [field.name for field in fields(Secrets)]
    known = json.loads(path.read_text()) if path.exists() else {}
    complete = {name: known.get(name) or secrets.token_urlsafe(40) for name in names}
    if complete != known:
        write_private(path, json.dumps(complete, indent=1).encode())
    return Secrets(**complete)
