"""Requests that Understudy sends itself: given in the policy, or in a file that it names.

A file is an `azureml://` path of a datastore (a short one is looked up in the target's workspace), the https:// address
of a blob, or the name of a blob beside the policies. It holds JSON lines, or one JSON list. It is read whole, so its
size has a limit; it may hold what customers sent, so nothing of it is ever put into a message.
"""

from __future__ import annotations

import json
from typing import Any

from cloud.errors import NotFound, Permanent
from cloud.models import Place as Workspace
from policy.model import Target
from rollout.context import Context
from rollout.policies import POLICIES

LARGEST_FILE = 4 * 1024 * 1024
MOST_REQUESTS = 1000


def recorded_requests(
    context: Context, target: Target, given: tuple[Any, ...] | None, requests_from: str | None
) -> tuple[Any, ...]:
    """The requests to send. Permanent, saying what to do, when the file is missing or is not what it should be."""
    if requests_from is None:
        return given or ()
    return parsed(_read(context, target, requests_from), requests_from)


def parsed(data: bytes, name: str) -> tuple[Any, ...]:
    """The requests in a file's bytes."""
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise Permanent(f"{name} is not UTF-8: it should hold JSON lines or one JSON list") from None
    found = _listed(text) if text.startswith("[") else None
    if found is None:
        found = [_line(line, number, name) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not found:
        raise Permanent(f"{name} holds no request: it should hold JSON lines or one JSON list")
    if len(found) > MOST_REQUESTS:
        raise Permanent(f"{name} holds {len(found)} requests, and at most {MOST_REQUESTS} are read")
    return tuple(found)


def _listed(text: str) -> list[Any] | None:
    """The list that the text is; None where it is no single JSON value, such as lines that are lists themselves."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, list) else None


def _line(line: str, number: int, name: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise Permanent(f"{name}, line {number}: no JSON ({type(error).__name__}): one request a line") from None


def _read(context: Context, target: Target, name: str) -> bytes:
    if name.startswith(("azureml://", "https://")):
        home = Workspace(target.subscription_id, target.resource_group, target.workspace)
        return context.datastores.read(name, home, at_most=LARGEST_FILE)
    stored = context.blobs.read(POLICIES, name)
    if stored is None:
        raise NotFound(f"there is no blob {POLICIES}/{name}: upload it beside the policy, or name another file")
    if len(stored.data) > LARGEST_FILE:
        raise Permanent(f"{POLICIES}/{name} has {len(stored.data)} bytes, and at most {LARGEST_FILE} are read")
    return stored.data
