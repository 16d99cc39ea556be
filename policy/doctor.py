"""The door of `python -m policy doctor`: hands over to the rooms that talk to Azure.

The one file of this room that knows other rooms (.importlinter, docs/decisions/0016): nothing here imports it but the
command line, and only when it is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta

from export.answers import question
from export.windows import Window
from policy.model import Policy
from rollout.doctor.command import run
from rollout.doctor.logs import OtherQuery
from rollout.shell import Shell

WINDOW = timedelta(minutes=15)


def doctor(name: str, endpoint: str, *, as_json: bool, clock: Callable[[], datetime], new_id: Callable[[], str]) -> int:
    """Prove the policy of this name or in this file; the exit status."""
    return run(name, endpoint, as_json=as_json, shell=Shell(clock, new_id, os.environ), others=_of_export)


def _of_export(policy: Policy, endpoint_id: str, now: datetime) -> tuple[OtherQuery, ...]:
    if policy.export is None:
        return ()
    return (OtherQuery("query of export", *question(endpoint_id, Window(now - WINDOW, now))),)
