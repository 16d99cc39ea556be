"""The door of `python -m policy doctor`: hands over to the rooms that talk to Azure.

The one file of this room that knows other rooms (.importlinter, docs/decisions/0016): nothing here imports it but the
command line, and only when it is asked for.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from export.answers import question
from export.windows import Window
from policy.model import Policy
from rollout.doctor.command import run
from rollout.doctor.logs import OtherQuery
from rollout.shell import Shell

WINDOW = timedelta(minutes=15)


def doctor(name: str, endpoint: str, *, json_too: bool) -> int:
    """Prove the policy of this name or in this file; the exit status."""
    shell = Shell(lambda: datetime.now(UTC), lambda: uuid4().hex, os.environ)
    return run(name, endpoint, json_too=json_too, shell=shell, others=_of_export)


def _of_export(policy: Policy, endpoint_id: str, now: datetime) -> tuple[OtherQuery, ...]:
    if policy.export is None:
        return ()
    return (OtherQuery("query of export", *question(endpoint_id, Window(now - WINDOW, now))),)
