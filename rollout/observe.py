"""One look at the world: as little of it as the record's phase needs.

A part that cannot be read is left out and named in `trouble`; the decision then waits, and still goes back if harm is
known from elsewhere. An idle endpoint without news costs no call to Azure at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cloud.endpoints import Deployment, Endpoint
from cloud.errors import CloudError
from policy.model import Full, Policy, Target
from rollout.batch_observe import TrialSeen, read_trial
from rollout.bodies import MADE_BY
from rollout.context import Context
from rollout.endpoint import DeploymentSeen, EndpointSeen
from rollout.evidence import EvidenceReader, Lines
from rollout.gate_reads import compared_machines, newest_drift
from rollout.inbox import Inbox, read_inbox
from rollout.observation import Freeze, Observation
from rollout.phases import JUDGED, Phase
from rollout.place import Place
from rollout.recall import recalled
from rollout.record import Checked, Record
from rollout.smoke import smoke_test
from rollout.targets import earlier_target
from rollout.traffic import wanted
from rollout.verdict import Evidence
from rollout.versions import list_versions

LONGEST_WARM_UP = timedelta(minutes=1)


@dataclass(frozen=True)
class Seen:
    """The observation, and the raw bodies that the actions need."""

    observation: Observation
    endpoint: Endpoint | None = None
    deployments: Mapping[str, Deployment] = field(default_factory=dict)


def observe(
    context: Context,
    place: Place,
    policy: Policy,
    target: Target,
    record: Record | None,
    *,
    quick: bool,
    fresh: bool = False,
    renew: Callable[[], None],
) -> Seen:
    """Read what the next decision needs. `quick` leaves out what takes time: evidence, smoke tests, model lists.

    The endpoint may be what an earlier look read of it, unless the look is to be `fresh` (`rollout.recall`).

    `renew` starts the lease's time again between the slow parts. The inbox is read last, so that an alert which
    arrives during them is seen before anything is written.
    """
    now, trouble = context.clock(), list[str]()
    first = read_inbox(context.store, place, record)
    endpoint, deployments, unread = None, dict[str, Deployment](), False
    known = recalled(record, now, context.reread, news=fresh or quick or bool(first.items))
    if known is None and _needs_endpoint(record, first, now):
        endpoint, deployments, unread = _endpoint(context, place, trouble)
    seen = known.endpoint if known is not None else _endpoint_seen(context, endpoint, deployments, record)
    versions = evidence = smoke = drift = machines = None
    trial = TrialSeen()
    lists = first.needs_versions or (record is not None and record.terminal and record.list_versions)
    if not quick:
        if lists:
            renew()
            versions = list_versions(context, place, policy, target, record, first, trouble)
        if record is not None and record.batch and seen is not None:
            trial = read_trial(context, place, policy, target, record, seen, trouble, now=now, renew=renew)
            evidence, smoke = trial.evidence, trial.smoke
        elif record is not None and record.phase in JUDGED and record.since is not None and seen is not None:
            evidence = _evidence(context, place, policy, target, record, seen.region, now, trouble, renew)
        elif record is not None and record.phase is Phase.TESTING and endpoint is not None:
            smoke = smoke_test(
                context, policy, target, record, endpoint, deployments.get(record.live or ""), trouble, renew=renew
            )
    wait, give_up = earlier_target(context, policy, target, record, trouble)
    autoscaled = False if wait or give_up else _autoscaled(context, place, record, seen, trouble)
    checks: Checked | None = Checked()
    starts = record is not None and record.kind == "rollout" and _begins(record) and not (wait or give_up)
    if endpoint is not None and record is not None and starts:
        from rollout.doctor.start import before_start  # for a start only: a way back does not wait for it

        about = (context, place, policy, target, record, endpoint, deployments, trouble)
        checks = before_start(*about, quick=quick, news=bool(first.items), renew=renew)
    if not quick:
        drift = newest_drift(context, place, policy, record, trouble)
        renew()
        machines = compared_machines(context, policy, record, endpoint, deployments, now)
    renew()
    inbox = read_inbox(context.store, place, record)
    if versions is None:
        inbox = inbox.without_versions()
    reading = inbox.reading(record)
    return Seen(
        Observation(
            endpoint=seen,
            unread=unread,
            recalled=known is not None,
            versions=versions,
            unlisted=lists and versions is None,
            evidence=evidence,
            smoke=smoke,
            jobs=trial.jobs,
            outputs=trial.outputs,
            drift=drift,
            machines=machines,
            alerts=inbox.alerts,
            commands=inbox.commands,
            notices=inbox.notices,
            handled=reading.handled,
            forgotten=reading.forgotten,
            read_until=reading.read_until,
            autoscaled=autoscaled,
            checks=checks,
            earlier_target=wait,
            earlier_failed=give_up,
            freezes=_freezes(context, place, record, inbox, trouble),
            trouble=tuple(trouble),
        ),
        endpoint,
        deployments,
    )


def _needs_endpoint(record: Record | None, inbox: Inbox, now: datetime) -> bool:
    if record is None:
        return bool(inbox.items)
    news = bool(inbox.items) or record.list_versions or any(o.after <= now for o in record.leftovers)
    return news or not record.terminal


def _freezes(
    context: Context, place: Place, record: Record | None, inbox: Inbox, trouble: list[str]
) -> tuple[Freeze, ...] | None:
    """What is frozen; nothing is asked for what goes nowhere or back, for the way back must not wait for an answer."""
    if record is None or record.terminal or record.phase is Phase.ROLLING_BACK:
        return ()
    if "rollback" in {alert.action for alert in inbox.alerts} | {command.action for command in inbox.commands}:
        return ()
    try:
        return context.freezes.at(place)
    except CloudError as error:
        trouble.append(str(error))
        return None


def _endpoint(
    context: Context, place: Place, trouble: list[str]
) -> tuple[Endpoint | None, dict[str, Deployment], bool]:
    """The endpoint with its deployments, and whether it could not be read."""
    try:
        service = context.at(place.endpoint_id)
        endpoint = service.read(place.endpoint_id)
        if endpoint is not None:
            return endpoint, {d.name: d for d in service.deployments(place.endpoint_id)}, False
        trouble.append(f"endpoint {place.endpoint} does not exist")
    except CloudError as error:
        trouble.append(str(error))
        return None, {}, True
    return None, {}, False


def _endpoint_seen(
    context: Context, endpoint: Endpoint | None, deployments: Mapping[str, Deployment], record: Record | None
) -> EndpointSeen | None:
    if endpoint is None:
        return None

    def seen(one: Deployment) -> DeploymentSeen:
        asks = record is not None and one.name == record.candidate and not record.terminal
        failure = context.endpoints.failure(one) if asks and one.state in ("Failed", "Canceled") else ""
        return DeploymentSeen(one.name, one.state, one.model, failure, one.writes_rows, one.instances, one.tag(MADE_BY))

    return EndpointSeen(
        endpoint.state,
        endpoint.traffic,
        endpoint.mirror,
        {name: seen(one) for name, one in deployments.items()},
        endpoint.region,
    )


def _begins(record: Record) -> bool:
    """Whether nothing was written yet."""
    return record.phase is Phase.DEPLOYING and record.since is None


def _autoscaled(
    context: Context, place: Place, record: Record | None, seen: EndpointSeen | None, trouble: list[str]
) -> bool | None:
    """Whether autoscale moves the live deployment, asked once: before the candidate is made."""
    if record is None or not _begins(record) or record.batch or seen is None:
        return False
    try:
        live = [name for name, share in seen.traffic.items() if share]
        return any(s.enabled for one in live for s in context.autoscale.of(f"{place.endpoint_id}/deployments/{one}"))
    except CloudError as error:
        trouble.append(str(error))
        return None


def _warm_up(policy: Policy, record: Record) -> timedelta:
    """Time at the beginning of a step that is not judged: a new container's first answers are slow, and say nothing.

    Fixed in advance, for both deployments alike: what the step says, or half of its shortest stay, at most a minute.
    """
    step = policy.steps[record.step]
    said: timedelta | None = getattr(step, "warm_up", None)
    if said is not None:
        return said
    shortest = step.bake if isinstance(step, Full) else getattr(step, "at_least", timedelta())
    return min(LONGEST_WARM_UP, shortest / 2)


def _evidence(
    context: Context,
    place: Place,
    policy: Policy,
    target: Target,
    record: Record,
    region: str,
    now: datetime,
    trouble: list[str],
    renew: Callable[[], None],
) -> Evidence | None:
    if target.log_analytics_workspace_id is None or record.since is None:
        trouble.append(f"target {target.name} has no log_analytics_workspace_id: no evidence can be read")
        return None
    _, mirror = wanted(policy, record)
    gate = policy.gates.agreement
    window = (record.since + _warm_up(policy, record), now)
    if window[0] >= now:
        return None
    alone = record.phase in (Phase.FULL, Phase.RETIRING)
    workspace_id = target.log_analytics_workspace_id
    reader = EvidenceReader(context.logs, context.metrics, workspace_id, place.endpoint_id, region, between=renew)
    try:
        return reader.read(
            live=record.live,
            candidate=record.candidate,
            live_window=(record.started, record.since) if alone else window,
            window=window,
            tolerance=gate.tolerance if gate is not None and mirror else None,
            lines=Lines.of(policy.gates.latency_p95),
            own=policy.gates.queries,
        )
    except CloudError as error:
        trouble.append(str(error))
        return None
