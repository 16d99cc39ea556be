"""Starting the policy's training job, at most once per cooldown, whatever happens in between.

The intent is written before the job is submitted and marked as started after it. A job's name follows from what caused
it, so an intent that was left open by a crash is carried out under the same name, and a cause that is delivered twice
within the cooldown starts one job. A job that fails later is noted and said; the cooldown holds for it too, so that a
training that always fails is not tried at every look.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from hashlib import sha256

from cloud.errors import CloudError, Conflict, Permanent
from drift.context import Context, Watched
from drift.store import STATE, Place, stamp
from policy.model import Retrain

POLICIES = "policies"
COMPLETED = "Completed"
FAILED = ("Failed", "Canceled")
logger = logging.getLogger("understudy.drift")


@dataclass(frozen=True)
class Training:
    """The last retraining of an endpoint. `started` is None from the intent until Azure has the job."""

    cause: str
    job: str
    asked: str
    started: str | None = None
    problem: str | None = None
    failed: str | None = None
    """Azure's word for a job that ended without a model."""
    completed: bool = False


@dataclass(frozen=True)
class Answer:
    """What became of a wish to retrain: the job that runs for it, or why there is none."""

    job: str | None
    reason: str


def retrain(context: Context, one: Watched, cause: str, now: datetime) -> Answer:
    """Start the training job for `cause`. Temporary: ask again later; a Permanent problem is kept and returned."""
    settings = one.policy.retrain
    if settings is None:
        return Answer(None, "the policy has no `retrain`")
    try:
        training, etag = _load(context, one.place)
        before = ""
        if training is not None and training.started is not None:
            ready = datetime.fromisoformat(training.started) + settings.cooldown
            if now < ready and training.cause == cause:
                return Answer(training.job, "started before for the same cause")
            if now < ready:
                return Answer(
                    None, f"{training.job} was started at {training.started}: cooling down until {stamp(ready)}"
                )
            before = training.started if training.cause == cause else ""
        if training is None or etag is None or training.started is not None:
            training = Training(cause, job_name(one.place, cause, before), stamp(now))
            etag = _save(context, one.place, training, etag)
        return _submit(context, one, settings, training, etag, now)
    except Conflict:
        return Answer(None, "another worker is starting one")


def follow(context: Context, one: Watched, now: datetime) -> None:
    """Note how the last job ended: at most one question to Azure, and none once its end is known.

    Called after a measurement, so once per the policy's `drift.every`; an answer that does not come waits for the next.
    """
    try:
        training, etag = _load(context, one.place)
        if training is None or training.started in (None, stamp(now)) or training.failed or training.completed:
            return
        status = context.jobs.status(one.workspace, training.job)
        if status is None or status in FAILED:
            training = replace(training, failed=status or "not found")
            where = f"see the logs of job {training.job} in workspace {one.workspace.workspace}"
            logger.warning("retraining of %s ended as %s: %s", one.place.path, training.failed, where)
        elif status == COMPLETED:
            training = replace(training, completed=True)
        else:
            return
        _save(context, one.place, training, etag)
    except CloudError as error:
        logger.warning("retraining of %s: how its job is doing is not known now: %s", one.place.path, error)


def job_name(place: Place, cause: str, before: str = "") -> str:
    """A job name that Azure allows and that is the same for the same endpoint and cause.

    `before` is when the last job was started for that very cause: an alert rule may fire again next month.
    """
    digest = sha256(f"{place.path}|{cause}|{before}".encode()).hexdigest()[:12]
    readable = re.sub(r"[^a-z0-9]+", "-", f"{place.policy}-{place.endpoint}".lower()).strip("-")[:60]
    return f"retrain-{readable}-{digest}"


def _submit(context: Context, one: Watched, settings: Retrain, training: Training, etag: str, now: datetime) -> Answer:
    try:
        document = context.blobs.read(POLICIES, settings.job)
        if document is None:
            raise Permanent(
                f"retrain.job: there is no {settings.job} in container {POLICIES}; upload the job's YAML there"
            )
        tags = {
            "understudy.policy": one.place.policy,
            "understudy.target": one.place.target,
            "understudy.endpoint": one.place.endpoint,
            "understudy.cause": training.cause[:256],
        }
        context.jobs.submit(one.workspace, training.job, document.data.decode(), tags=tags)
    except Permanent as error:
        _save(context, one.place, replace(training, problem=error.reason), etag)
        return Answer(None, error.reason)
    _save(context, one.place, replace(training, started=stamp(now), problem=None), etag)
    return Answer(training.job, f"started because of {training.cause}")


def _load(context: Context, place: Place) -> tuple[Training | None, str | None]:
    stored = context.blobs.read(STATE, _name(place))
    if stored is None:
        return None, None
    try:
        return Training(**json.loads(stored.data)), stored.etag
    except (ValueError, TypeError) as error:
        raise Permanent(f"{STATE}/{_name(place)} says nothing about a retraining ({error}); delete it") from error


def _save(context: Context, place: Place, training: Training, etag: str | None) -> str:
    data = json.dumps(asdict(training), indent=1).encode()
    return context.blobs.write(STATE, _name(place), data, etag=etag, absent=etag is None)


def _name(place: Place) -> str:
    return f"retrain/{place.path}.json"
