"""What function_app calls: queue the endpoints that are due, measure one or start its retraining.

An endpoint is due when the data set has grown past the end of a window that has no result yet. A lease keeps two
workers from measuring the same one; it only saves work, since results have one name and jobs start once.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from cloud.errors import Permanent, Temporary
from drift.context import Context, Watched, find, watched
from drift.retrain import follow, retrain
from drift.store import Place, has_result
from drift.work import measure_endpoint
from export.dataset import exported_until
from policy.model import Drift

QUEUE = "drift-work"
LEASE_SECONDS = 30
"""Short, since a killed worker leaves it behind; it only saves work, so a longer measurement may outlive it."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
logger = logging.getLogger("understudy.drift")

__all__ = ["QUEUE", "Context", "queue_due", "run"]


def queue_due(context: Context, now: datetime) -> list[dict[str, Any]]:
    """Queue every endpoint with a window to measure; returns the messages that were sent."""
    del now  # the data set's own progress decides, not the clock
    sent: list[dict[str, Any]] = []
    for one in watched(context):
        settings, place = one.policy.drift, one.place
        if settings is None:
            continue
        try:
            if _due(context, one, settings) is None:
                continue
            message = {"policy": place.policy, "target": place.target, "endpoint": place.endpoint}
            context.queues.send(QUEUE, message)
        except (Temporary, Permanent) as error:
            logger.warning("drift of %s could not be queued: %s", place.path, error)
            continue
        sent.append(message)
    return sent


def run(context: Context, message: dict[str, Any], now: datetime) -> None:
    """Measure the endpoint that `message` names or, when it says `retrain`, start its training job."""
    place = Place(message["policy"], message["target"], message["endpoint"])
    one = find(context, place)
    if one is None:
        logger.warning("drift of %s: no policy names this endpoint any more", place.path)
        return
    if "retrain" in message:
        _retrain(context, one, message, now)
        return
    try:
        _measure(context, one, now)
    except Temporary as error:
        logger.warning("drift of %s is measured later: %s", place.path, error)
    except Permanent as error:
        logger.error("drift of %s: %s", place.path, error)


def _measure(context: Context, one: Watched, now: datetime) -> None:
    settings = one.policy.drift
    until = _due(context, one, settings) if settings else None
    if settings is None or until is None:
        return
    lease = context.blobs.lease("locks", f"drift-{sha256(one.place.path.encode()).hexdigest()[:20]}", LEASE_SECONDS)
    if lease is None:
        # Held by another worker, or left by one that was killed: then it runs out, and the timer asks again.
        logger.info("drift of %s: another worker measures it", one.place.path)
        return
    try:
        if not has_result(context.blobs, one.place, until):
            result = measure_endpoint(context, one, settings, until, now)
            logger.info("drift of %s until %s: %s", one.place.path, result["until"], result["status"])
            follow(context, one, now)
    finally:
        lease.release()


def _retrain(context: Context, one: Watched, message: dict[str, Any], now: datetime) -> None:
    """No timer repeats an alert's wish, so the message itself comes again while Azure is not ready."""
    if one.policy.retrain is not None and "alert" not in one.policy.retrain.after:
        logger.info("retraining of %s: the policy does not retrain after an alert", one.place.path)
        return
    try:
        answer = retrain(context, one, f"alert {message['retrain']}", now)
    except Temporary as error:
        context.queues.send(QUEUE, message, delay=error.retry_after)
        return
    except Permanent as error:
        logger.error("retraining of %s: %s", one.place.path, error)
        return
    logger.info("retraining of %s: %s (%s)", one.place.path, answer.job or "not started", answer.reason)


def _due(context: Context, one: Watched, settings: Drift) -> datetime | None:
    """The end of the newest window that the data set covers, unless it has its result.

    The watermark is on ingestion time and rows are read by their own: the export's lag behind it they are all there.
    """
    place = one.place
    exported = exported_until(context.blobs, place.policy, place.target, place.endpoint)
    if exported is None or one.policy.export is None:
        return None
    step = max(settings.every, timedelta(seconds=1))
    until = EPOCH + step * ((exported - one.policy.export.lag - EPOCH) // step)
    until = until.replace(microsecond=0)
    return None if has_result(context.blobs, place, until) else until
