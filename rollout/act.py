"""Doing what was decided. Each action may be repeated, and each may fail: the next look sees what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cloud.errors import CloudError, Permanent
from policy.model import Policy
from rollout.bodies import candidate_body
from rollout.context import Context
from rollout.decision import Action, CreateDeployment, DeleteDeployment, SaveLogs, SetTraffic
from rollout.observe import Seen
from rollout.place import Place
from rollout.record import Record


@dataclass(frozen=True)
class Outcome:
    """What came of the actions: Azure's final refusals, and troubles that the next look tries again."""

    refused: str = ""
    trouble: tuple[str, ...] = ()
    blocked: bool = False
    """Something new is in the inbox: nothing was written, look again at once."""


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
    for action in actions:
        if isinstance(action, SetTraffic) and not action.urgent and context.store.unread(place, record.handled):
            return Outcome(blocked=True)
        try:
            renew()
            _do(context, place, policy, record, seen, action)
        except Permanent as error:
            return Outcome(refused=error.reason)
        except CloudError as error:
            return Outcome(trouble=(str(error),))
    return Outcome()


def _do(context: Context, place: Place, policy: Policy, record: Record, seen: Seen, action: Action) -> None:
    if isinstance(action, SetTraffic):
        if seen.endpoint is not None:
            context.endpoints.write_traffic(seen.endpoint, action.traffic, action.mirror)
    elif isinstance(action, CreateDeployment):
        _create(context, place, policy, seen, action)
    elif isinstance(action, SaveLogs):
        _save_logs(context, place, record, action)
    elif isinstance(action, DeleteDeployment):
        context.endpoints.delete_deployment(place.endpoint_id, action.name)


def _create(context: Context, place: Place, policy: Policy, seen: Seen, action: CreateDeployment) -> None:
    if seen.endpoint is None:
        return
    live = seen.deployments.get(action.like or "")
    body = candidate_body(
        live.body if live else None, seen.endpoint.body, policy.deployment, action.model_id, policy.name
    )
    context.endpoints.write_deployment(place.endpoint_id, action.name, body)


def _save_logs(context: Context, place: Place, record: Record, action: SaveLogs) -> None:
    try:
        text = context.endpoints.container_log(place.endpoint_id, action.name)
    except Permanent as error:
        # A container that never started has no log; that must not keep it (and its cost) alive.
        text = f"no log could be read: {error.reason}\n"
    context.store.archive_log(record, action.name, text)
