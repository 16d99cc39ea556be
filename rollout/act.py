"""Doing what was decided. Each action may be repeated, and each may fail: the next look sees what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cloud.data_assets import COLLECTED
from cloud.errors import CloudError, Conflict, Permanent, Temporary
from policy.model import Policy
from rollout.batch_bodies import batch_body
from rollout.bodies import candidate_body, doubts
from rollout.collector import asset_name, with_own_folders
from rollout.context import Context
from rollout.decision import (
    Action,
    CancelJob,
    CarryAutoscale,
    CreateDeployment,
    DeleteDeployment,
    SaveLogs,
    ScaleDeployment,
    SendLoad,
    SetTraffic,
    StartJob,
)
from rollout.endpoint import AT_REST
from rollout.inbox import stops
from rollout.observe import Seen
from rollout.place import Place
from rollout.record import Record
from rollout.sample_jobs import start_job
from rollout.sending import send_load

BEGUN_SECONDS = 5.0
"""Until a split is asked for again that met somebody's operation."""


@dataclass(frozen=True)
class Outcome:
    """What came of the actions: Azure's final refusals, and troubles that the next look tries again."""

    refused: str = ""
    trouble: tuple[str, ...] = ()
    retry_after: float | None = None
    """Seconds after which Azure may take what it did not take now."""
    blocked: bool = False
    """Something is new (an item in the inbox, or another's split): nothing was written, look again at once."""


def act(
    context: Context,
    place: Place,
    policy: Policy,
    record: Record,
    seen: Seen,
    actions: tuple[Action, ...],
    *,
    renew: Callable[[], None],
) -> Outcome:
    """Do the actions in order; stop at the first that fails. `renew` starts the lease's time again before a write."""
    doubtful: tuple[str, ...] = ()
    for action in actions:
        try:
            renew()
            if _last_word(action) and stops(context.store.unread(place, record).items):
                return Outcome(blocked=True)
            if isinstance(action, CreateDeployment):
                doubtful = _create(context, place, policy, seen, action)
            elif not _do(context, place, policy, record, seen, action, renew):
                return Outcome(blocked=True)
        except Permanent as error:
            return Outcome(refused=error.reason)
        except Temporary as error:
            return Outcome(trouble=(str(error),), retry_after=error.retry_after)
        except CloudError as error:
            return Outcome(trouble=(str(error),))
    return Outcome(trouble=doubtful)


def _last_word(action: Action) -> bool:
    """Whether the inbox may still stop the action. A deleted deployment is no way back any more."""
    return (isinstance(action, SetTraffic) and not action.urgent) or isinstance(action, DeleteDeployment)


def _do(
    context: Context,
    place: Place,
    policy: Policy,
    record: Record,
    seen: Seen,
    action: Action,
    renew: Callable[[], None],
) -> bool:
    """Do one action; False when it was not done because the world is not what the decision saw."""
    if isinstance(action, SetTraffic):
        return _set_traffic(context, place, seen, action)
    if isinstance(action, ScaleDeployment):
        context.endpoints.scale_deployment(place.endpoint_id, action.name, action.instances)
    elif isinstance(action, CarryAutoscale):
        context.autoscale.carry(_deployment_id(place, action.source), _deployment_id(place, action.name))
    elif isinstance(action, SaveLogs):
        _save_logs(context, place, record, action)
    elif isinstance(action, StartJob):
        start_job(context, place, policy, seen.endpoint, action)
    elif isinstance(action, CancelJob):
        context.batch_jobs.cancel(place.endpoint_id, action.name)
    elif isinstance(action, SendLoad):
        _send_load(context, place, policy, record, action, renew)
    elif isinstance(action, DeleteDeployment):
        if record.autoscaled:
            context.autoscale.remove(_deployment_id(place, action.name))
        context.at(place.endpoint_id).delete_deployment(place.endpoint_id, action.name)
    return True


def _deployment_id(place: Place, name: str) -> str:
    return f"{place.endpoint_id}/deployments/{name}"


def _send_load(
    context: Context, place: Place, policy: Policy, record: Record, action: SendLoad, renew: Callable[[], None]
) -> None:
    try:
        send_load(context, place, policy, record, action.count, renew=renew)
    except Permanent as error:
        # Mended by whoever wrote the policy, and no refusal of what the rollout itself wants.
        raise Temporary(f"no load was sent: {error.reason}") from error


def _set_traffic(context: Context, place: Place, seen: Seen, action: SetTraffic) -> bool:
    """The PUT carries the whole endpoint, so it is read again right before: what others changed meanwhile stays.

    If they changed the split itself, the decision was made on something else; and what an operation that has begun
    since comes to is not known. Only a way back is written all the same.
    """
    now = context.at(place.endpoint_id).read(place.endpoint_id)
    if now is None or seen.endpoint is None:
        return False
    if not action.urgent and (now.traffic, now.mirror) != (seen.endpoint.traffic, seen.endpoint.mirror):
        return False
    if not action.urgent and now.state not in AT_REST:
        raise Conflict(f"endpoint {place.endpoint} is {now.state}: another operation began", retry_after=BEGUN_SECONDS)
    context.at(place.endpoint_id).write_traffic(now, action.traffic, action.mirror)
    return True


def _create(context: Context, place: Place, policy: Policy, seen: Seen, action: CreateDeployment) -> tuple[str, ...]:
    """Ask for the candidate; what a person should know of its body."""
    if seen.endpoint is None:
        return ()
    live = seen.deployments.get(action.like or "")
    parts = (live.body if live else None, seen.endpoint.body, policy.deployment, action.model_id, policy.name)
    if place.batch:
        context.batch.write_deployment(place.endpoint_id, action.name, batch_body(*parts))
        return ()
    body = candidate_body(*parts, action.instances)

    def folder(collection: str) -> str:
        workspace, endpoint = place.endpoint_id.rsplit("/", 2)[0], place.endpoint
        uri = f"{COLLECTED}/{endpoint}/{action.name}/{collection}"
        return context.data_assets.folder(workspace, asset_name(endpoint, action.name, collection), uri)

    body = with_own_folders(body, place.endpoint, action.like or "", folder)
    context.endpoints.write_deployment(place.endpoint_id, action.name, body)
    return doubts(body)


def _save_logs(context: Context, place: Place, record: Record, action: SaveLogs) -> None:
    try:
        text = context.at(place.endpoint_id).container_log(place.endpoint_id, action.name)
    except Permanent as error:
        # That it cannot be read must not keep the deployment (and its cost) alive.
        text = f"no log could be read: {error.reason}\n"
    context.store.archive_log(record, action.name, text)
