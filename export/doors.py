"""What function_app calls: queue the windows that are due, export one window.

Per endpoint one window is queued at a time, and a finished one queues the next, so a backlog is worked off in order
without waiting for the timer. Azure being slow or down is no failure of the message: the watermark stays, and the
timer queues the same window again; so nothing but unreadable messages ever reaches the poison queue.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloud.blobs import Blobs
from cloud.errors import Conflict, Permanent, Temporary
from cloud.logs import Logs
from cloud.queues import Queues
from export.store import Place, Watermark, begin, note_problem, read_watermark
from export.windows import Window, due_windows, first_watermark, stamp
from export.work import export_window
from policy.match import endpoint_id
from policy.model import Export, Policy, Target

QUEUE = "export-work"
logger = logging.getLogger("understudy.export")


@dataclass(frozen=True)
class Context:
    """What the export needs. `endpoints`: every endpoint that is known, with its policy and target."""

    blobs: Blobs
    logs: Logs
    queues: Queues
    endpoints: Sequence[tuple[Policy, Target, str]]


def queue_due(context: Context, now: datetime) -> list[dict[str, Any]]:
    """Queue the oldest closed window of each endpoint whose policy exports; returns the messages that were sent."""
    sent: list[dict[str, Any]] = []
    for policy, target, endpoint in context.endpoints:
        if policy.export is None:
            continue
        place = Place(policy.name, target.name, endpoint)
        try:
            watermark = _watermark(context, place, policy.export, now)
            sent += _queue_next(context, place, policy.export, watermark, now)
        except (Temporary, Permanent) as error:
            logger.warning("export of %s could not be queued: %s", place.path, error)
    return sent


def run(context: Context, message: dict[str, Any], now: datetime) -> None:
    """Export the window that `message` names, unless it is done or not yet its turn, and queue the next."""
    place = Place(message["policy"], message["target"], message["endpoint"])
    window = Window(datetime.fromisoformat(message["since"]), datetime.fromisoformat(message["until"]))
    try:
        _run(context, place, window, now)
    except Conflict:
        logger.info("export of %s, window %s: another worker did it", place.path, window.name)
    except (Temporary, Permanent) as error:
        logger.warning("export of %s, window %s comes later: %s", place.path, window.name, error)


def _run(context: Context, place: Place, window: Window, now: datetime) -> None:
    known = _known(context, place)
    watermark = read_watermark(context.blobs, place)
    if known is None or watermark is None or watermark.until != window.since:
        logger.info("export of %s, window %s: nothing to do", place.path, window.name)
        return
    settings, target = known
    moved = _export(context, place, target, watermark, window)
    _queue_next(context, place, settings, moved, now)


def _export(context: Context, place: Place, target: Target, watermark: Watermark, window: Window) -> Watermark:
    try:
        if target.log_analytics_workspace_id is None:
            raise Permanent(f"target {target.name} needs log_analytics_workspace_id: the logs are read there")
        identity = endpoint_id(target, place.endpoint)
        workspace_id = target.log_analytics_workspace_id
        return export_window(context.blobs, context.logs, place, identity, workspace_id, watermark, window)
    except Permanent as error:
        logger.error("export of %s stands at %s: %s", place.path, stamp(watermark.until), error)
        if watermark.problem != error.reason:
            note_problem(context.blobs, place, watermark, error.reason)
        raise Temporary(error.reason) from error


def _watermark(context: Context, place: Place, settings: Export, now: datetime) -> Watermark:
    watermark = read_watermark(context.blobs, place)
    if watermark is None:
        begin(context.blobs, place, first_watermark(now, settings.every, settings.lag))
        watermark = read_watermark(context.blobs, place)
    if watermark is None:
        raise Temporary(f"the watermark of {place.path} was deleted while it was read")
    return watermark


def _queue_next(
    context: Context, place: Place, settings: Export, watermark: Watermark, now: datetime
) -> list[dict[str, Any]]:
    window = next(due_windows(now, watermark.until, settings.every, settings.lag), None)
    if window is None:
        return []
    message = {
        "policy": place.policy,
        "target": place.target,
        "endpoint": place.endpoint,
        "since": stamp(window.since),
        "until": stamp(window.until),
    }
    context.queues.send(QUEUE, message)
    return [message]


def _known(context: Context, place: Place) -> tuple[Export, Target] | None:
    for policy, target, endpoint in context.endpoints:
        if (policy.name, target.name, endpoint) == (place.policy, place.target, place.endpoint) and policy.export:
            return policy.export, target
    return None
