"""One look at the world: as little of it as the record's phase needs.

A part that cannot be read is left out and named in `trouble`; the decision then waits, and still goes back if harm is
known from elsewhere. An idle endpoint without news costs no call to Azure at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cloud.endpoints import Deployment, Endpoint
from cloud.errors import CloudError, Temporary
from cloud.models import Place as ModelPlace
from cloud.scoring import score
from policy.match import endpoint_name
from policy.model import Policy, Smoke, Target
from rollout.context import Context
from rollout.evidence import EvidenceReader
from rollout.observation import (
    AlertItem,
    CommandItem,
    DeploymentSeen,
    EndpointSeen,
    Observation,
    Versions,
    VersionSeen,
)
from rollout.observation import Smoke as SmokeSeen
from rollout.phases import Phase
from rollout.place import Place
from rollout.record import Record, moment
from rollout.traffic import wanted
from rollout.verdict import Evidence

JUDGED = (
    Phase.SHADOW,
    Phase.CANARY,
    Phase.AWAITING_APPROVAL,
    Phase.WAITING,
    Phase.CHECKING,
    Phase.FULL,
    Phase.RETIRING,
)
SMOKE_TIMEOUT_SECONDS = 30.0


@dataclass
class Seen:
    """The observation, and the raw bodies that the actions need."""

    observation: Observation
    endpoint: Endpoint | None = None
    deployments: Mapping[str, Deployment] = field(default_factory=dict)


def observe(
    context: Context, place: Place, policy: Policy, target: Target, record: Record | None, *, quick: bool
) -> Seen:
    """Read what the next decision needs. `quick` leaves out what takes time: evidence, smoke tests, model lists.

    The inbox is read last, so that an alert which arrives during the slow reads is seen before anything is written.
    """
    now, trouble = context.clock(), list[str]()
    first = _inbox(context, place, record)
    endpoint, deployments = None, dict[str, Deployment]()
    if _needs_endpoint(record, first.items, now):
        endpoint, deployments = _endpoint(context, place, trouble)
    seen = _endpoint_seen(context, endpoint, deployments, record)
    versions = evidence = smoke = None
    if not quick:
        if _needs_versions(record, first.items):
            versions = _versions(context, policy, target, record, first.items, trouble)
        if record is not None and record.phase in JUDGED and record.since is not None and endpoint is not None:
            evidence = _evidence(context, place, policy, target, record, endpoint, now, trouble)
        if record is not None and record.phase is Phase.TESTING and endpoint is not None:
            smoke = _smoke(context, policy, record, endpoint, trouble)
    inbox = _Inbox(tuple(i for i in _inbox(context, place, record).items if versions is not None or not _lists(i[1])))
    return Seen(
        Observation(
            endpoint=seen,
            versions=versions,
            evidence=evidence,
            smoke=smoke,
            alerts=inbox.alerts,
            commands=inbox.commands,
            handled=tuple(i for i, _ in inbox.items),
            earlier_target=_earlier_target(context, policy, target, record),
            trouble=tuple(trouble),
        ),
        endpoint,
        deployments,
    )


def _lists(item: Mapping[str, Any]) -> bool:
    """Whether an inbox item needs the model's versions: it stays unread until they could be listed."""
    return item["kind"] == "registered" or (item["kind"] == "command" and item["action"] in ("start", "retry"))


@dataclass(frozen=True)
class _Inbox:
    items: tuple[tuple[str, dict[str, Any]], ...]

    @property
    def alerts(self) -> tuple[AlertItem, ...]:
        return tuple(
            AlertItem(i, it["rule"], it["alert_id"], it["fired"], it["action"], moment(it["at"]))
            for i, it in self.items
            if it["kind"] == "alert"
        )

    @property
    def commands(self) -> tuple[CommandItem, ...]:
        return tuple(
            CommandItem(i, it["action"], it["reason"], it["who"], moment(it["at"]), it.get("version"))
            for i, it in self.items
            if it["kind"] == "command" and it["refused"] is None
        )


def _inbox(context: Context, place: Place, record: Record | None) -> _Inbox:
    return _Inbox(context.store.unread(place, record.handled if record else ()))


def _needs_endpoint(record: Record | None, items: tuple[tuple[str, dict[str, Any]], ...], now: datetime) -> bool:
    if record is None:
        return bool(items)
    return not record.terminal or bool(items) or record.list_versions or any(o.after <= now for o in record.leftovers)


def _needs_versions(record: Record | None, items: tuple[tuple[str, dict[str, Any]], ...]) -> bool:
    waiting = record is not None and record.terminal and record.list_versions
    return waiting or any(_lists(item) for _, item in items)


def _endpoint(context: Context, place: Place, trouble: list[str]) -> tuple[Endpoint | None, dict[str, Deployment]]:
    endpoint = context.endpoints.read(place.endpoint_id)
    if endpoint is None:
        trouble.append(f"endpoint {place.endpoint} does not exist")
        return None, {}
    return endpoint, {d.name: d for d in context.endpoints.deployments(place.endpoint_id)}


def _endpoint_seen(
    context: Context, endpoint: Endpoint | None, deployments: Mapping[str, Deployment], record: Record | None
) -> EndpointSeen | None:
    if endpoint is None:
        return None

    def seen(one: Deployment) -> DeploymentSeen:
        asks = record is not None and one.name == record.candidate and not record.terminal
        failure = context.endpoints.failure(one) if asks and one.state in ("Failed", "Canceled") else ""
        return DeploymentSeen(one.name, one.state, one.model, failure)

    return EndpointSeen(
        endpoint.state, endpoint.traffic, endpoint.mirror, {name: seen(one) for name, one in deployments.items()}
    )


def _versions(
    context: Context,
    policy: Policy,
    target: Target,
    record: Record | None,
    items: tuple[tuple[str, dict[str, Any]], ...],
    trouble: list[str],
) -> Versions | None:
    registered = next((it["model"] for _, it in items if it["kind"] == "registered"), None)
    name = registered or (record.model if record else policy.model.name)
    try:
        found = context.models.versions(model_place(policy, target), name)
    except CloudError as error:
        trouble.append(str(error))
        return None
    required = policy.model.require_tags
    eligible = [v for v in found if all(v.tags.get(key) == value for key, value in required.items())]
    known = {v.version: VersionSeen(v.version, v.id, v.created) for v in found}
    newest = max(eligible, key=lambda v: v.created, default=None)
    return Versions(
        newest=known[newest.version] if newest else None,
        eligible=frozenset(v.version for v in eligible),
        known=known,
    )


def model_place(policy: Policy, target: Target) -> ModelPlace:
    """Where the policy's models are registered: its registry, or the target's workspace."""
    return ModelPlace(target.subscription_id, target.resource_group, target.workspace, policy.model.registry)


def _evidence(
    context: Context,
    place: Place,
    policy: Policy,
    target: Target,
    record: Record,
    endpoint: Endpoint,
    now: datetime,
    trouble: list[str],
) -> Evidence | None:
    if target.log_analytics_workspace_id is None or record.since is None:
        trouble.append(f"target {target.name} has no log_analytics_workspace_id: no evidence can be read")
        return None
    _, mirror = wanted(policy, record)
    gate = policy.gates.agreement
    window = (record.since, now)
    alone = record.phase in (Phase.FULL, Phase.RETIRING)
    workspace_id = target.log_analytics_workspace_id
    reader = EvidenceReader(context.logs, context.metrics, workspace_id, place.endpoint_id, endpoint.region)
    try:
        return reader.read(
            live=record.live,
            candidate=record.candidate,
            live_window=(record.started, record.since) if alone else window,
            window=window,
            tolerance=gate.tolerance if gate is not None and mirror else None,
        )
    except CloudError as error:
        trouble.append(str(error))
        return None


def _smoke(
    context: Context, policy: Policy, record: Record, endpoint: Endpoint, trouble: list[str]
) -> SmokeSeen | None:
    """Send the policy's smoke requests to the candidate; None when the endpoint could not be asked."""
    step = policy.steps[record.step]
    if not isinstance(step, Smoke) or not step.requests:
        return SmokeSeen(True, "the deployment is ready; no smoke requests in the policy")
    limit = step.max_latency.total_seconds() if step.max_latency else None
    try:
        key = context.endpoints.key(endpoint)
        for index, request in enumerate(step.requests):
            reply = score(
                endpoint.scoring_uri,
                key,
                request,
                deployment=record.candidate,
                probe_id=context.new_id(),
                timeout=SMOKE_TIMEOUT_SECONDS,
            )
            problem = _smoke_problem(reply.status, reply.body, reply.seconds, limit)
            if problem:
                return SmokeSeen(False, f"request {index + 1}: {problem}")
    except Temporary as error:
        trouble.append(str(error))
        return None
    except CloudError as error:
        return SmokeSeen(False, str(error))
    return SmokeSeen(True, f"{len(step.requests)} smoke requests answered well")


def _smoke_problem(status: int, body: str, seconds: float, limit: float | None) -> str:
    if status != 200:
        return f"answered {status}: {body[:200]}"
    try:
        json.loads(body)
    except ValueError:
        return f"the answer is not JSON: {body[:200]}"
    if limit is not None and seconds > limit:
        return f"took {seconds:.2f} s, more than {limit:g} s"
    return ""


def _earlier_target(context: Context, policy: Policy, target: Target, record: Record | None) -> str | None:
    """Why the target before this one is not done with the version yet; None when nothing is in the way."""
    names = [one.name for one in policy.targets]
    index = names.index(target.name)
    if record is None or record.phase is not Phase.DEPLOYING or index == 0:
        return None
    before = policy.targets[index - 1]
    kept = context.store.load(policy.name, before.name, endpoint_name(before, record.model).lower())
    if kept is not None and kept.record.version == record.version and kept.record.phase is Phase.DONE:
        return None
    state = f"at version {kept.record.version} ({kept.record.phase.value})" if kept else "without a rollout yet"
    return f"waits for target {before.name}, which is {state}"
