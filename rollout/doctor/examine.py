"""All checks of one endpoint, and those that all endpoints of a policy share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from cloud.access import Access, Caller
from cloud.errors import CloudError, Permanent
from cloud.settings import Settings
from policy.model import Policy, Target
from rollout.context import Context
from rollout.doctor import alerts, endpoint, files, gates, logs, mend, model, quota, roles, storage
from rollout.doctor.case import Case
from rollout.doctor.finding import Check, bad, made
from rollout.doctor.logs import OtherQuery
from rollout.place import Place, place_of

Others = Callable[[Policy, str, datetime], Sequence[OtherQuery]]
"""The queries of other rooms for a policy, an endpoint id and a time."""


def shared(context: Context, of: Settings) -> tuple[Check, ...]:
    """The app's own storage."""
    caller = Access(context.arm).caller()
    for_blobs, for_queues = storage.mends(of.blob_url, caller)
    return (*storage.blobs(context, of.blob_url, for_blobs), *storage.queues(context, of.queue_url, for_queues))


def examine(
    context: Context, policy: Policy, target: Target, name: str, model_name: str, others: Others
) -> tuple[Check, ...]:
    """Every check of one endpoint; each is made whatever the ones before came to."""
    place, now = place_of(policy, target, name), context.clock()
    case, unread = _case(context, policy.at(target), target, place, Access(context.arm).caller(), model_name)
    since = now - logs.WINDOW
    versions, newest = model.versions(case)
    of_region = mend.role(case.caller, mend.READER, f"/subscriptions/{target.subscription_id}")
    groups: list[tuple[str, Callable[[], Iterable[Check]], bool]] = [
        ("endpoint", lambda: unread or endpoint.there(case), True),
        ("traffic", lambda: endpoint.startable(case), True),
        ("rights on the endpoint", lambda: roles.on_endpoint(case), True),
        ("rights on the workspace", lambda: roles.on_workspace(case), True),
        ("rights on the group", lambda: roles.on_group(case), True),
        ("model", lambda: versions, True),
        ("deployments", lambda: endpoint.room(case, newest), True),
        ("first version", lambda: endpoint.first(case), True),
        ("instance type", lambda: quota.second_deployment(case), False),
        ("autoscale", lambda: endpoint.autoscale(case), True),
        ("request files", lambda: files.readable(case), True),
        ("gate cost", lambda: gates.cost(case), True),
        ("gate drift", lambda: gates.drift(case), True),
    ]
    if not place.batch:
        groups += [
            ("diagnostic setting", lambda: logs.sent(case), True),
            ("log queries", lambda: logs.answered(case, since, now) if _has_logs(case) else (), True),
            ("log rows", lambda: logs.arriving(case, since, now), False),
            ("other queries", lambda: logs.other(case, others(case.policy, place.endpoint_id, now)), True),
            ("request ids", lambda: logs.request_ids(case, since, now), False),
        ]
    groups.append(("alerts", lambda: alerts.reach_us(case), False))
    return tuple(
        check for name, run, needed in groups for check in made(name, run, "" if needed else of_region, needed=needed)
    )


def _has_logs(case: Case) -> bool:
    return case.target.log_analytics_workspace_id is not None


def _case(
    context: Context, policy: Policy, target: Target, place: Place, caller: Caller, model_name: str
) -> tuple[Case, tuple[Check, ...]]:
    """The case with the endpoint in it, and why it could not be read."""
    case = Case(context, policy, target, place, caller, model_name)
    try:
        service = context.at(place.endpoint_id)
        found = service.read(place.endpoint_id)
        listed = service.deployments(place.endpoint_id) if found is not None else ()
    except CloudError as error:
        refused = isinstance(error, Permanent) and error.status in (401, 403)
        give = mend.role(caller, mend.SCIENTIST, case.workspace_id) if refused else ""
        return case, (bad("endpoint", f"it could not be read: {error}", give),)
    deployments = {one.name: one for one in listed}
    return Case(context, policy, target, place, caller, model_name, found, deployments), ()
