"""What follows when no rollout is in flight: begin one, go back after one, or tidy up. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

from policy.model import Policy
from rollout.decision import Action, Decision, DeleteDeployment, SaveLogs
from rollout.endpoint import EndpointSeen
from rollout.look import Look
from rollout.mark import having_read
from rollout.names import deployment_name
from rollout.observation import CommandItem, Observation, Versions, VersionSeen
from rollout.phases import Phase
from rollout.place import Place
from rollout.record import Record, Tried
from rollout.rollback import rolling_back
from rollout.traffic import sole_live

_DELETE_PACE = timedelta(seconds=30)
_OBSERVED_PACE = timedelta(hours=1)
"""Between two looks at what would be deleted if the policy acted."""


def decide_idle(
    place: Place,
    policy: Policy,
    policy_text: str,
    record: Record | None,
    seen: Observation,
    now: datetime,
    *,
    pace: timedelta,
) -> Decision | None:
    """A new rollout when there is a version to roll out; a rollback after `done`; else what is left to delete."""
    observe = policy.mode == "observe"
    if record is not None and not observe:
        begun = _after_done(record, seen, now)
        if begun is not None:
            # The traffic is sent back in this very look.
            return rolling_back(Look(policy, begun, seen, now, pace))
    start = _to_start(record, seen)
    if start is not None:
        version, why = start
        return _begun(place, policy_text, record, seen, version, why, now)
    if record is None:
        return None
    return _tidied(record, seen, now, pace, observe=observe)


def _after_done(record: Record, seen: Observation, now: datetime) -> Record | None:
    """A record of kind `rollback`, when an alert or a person asks for it and the old deployment is still up."""
    cause = _asked_back(seen)
    if cause is None or record.phase is not Phase.DONE or record.live is None or seen.endpoint is None:
        return None
    old = seen.endpoint.deployments.get(record.live)
    if old is None or not old.healthy or not seen.endpoint.traffic.get(record.candidate):
        return None
    begun = replace(
        record,
        kind="rollback",
        number=record.number + 1,
        phase=Phase.ROLLING_BACK,
        started=now,
        entered=now,
        since=None,
        outcome=Phase.ROLLED_BACK,
        harm_seen=now,
        back_asked=None,
        blocked_since=None,
        blocked_seconds=0.0,
        asked=None,
        reasons=(cause,),
        evidence=(),
        entries=(),
        traffic=dict(seen.endpoint.traffic),
        mirror=dict(seen.endpoint.mirror),
        next_look=now,
    )
    begun = having_read(begun, seen)
    return _noted(begun, record, seen, now, "").noted(now, "decision", f"going back after done: {cause}")


def _asked_back(seen: Observation) -> str | None:
    for alert in seen.alerts:
        if alert.action == "rollback":
            return f"alert {alert.rule} {'fired' if alert.fired else 'resolved'}"
    for command in seen.commands:
        if command.action == "rollback":
            return f"rolled back by {command.who}: {command.reason}"
    return None


def _to_start(record: Record | None, seen: Observation) -> tuple[VersionSeen, str] | None:
    """The version to roll out now and why: what a person asked for, else the newest one not yet tried."""
    versions = seen.versions
    if versions is None:
        return None
    asked = _asked_version(record, seen.commands, versions)
    if asked is not None:
        return None if _is_live(asked[0], seen.endpoint) else asked
    newest = versions.newest
    if newest is None or (record is not None and Tried(newest.version, newest.created) in record.tried):
        return None
    if seen.endpoint is None:
        return newest, f"version {newest.version} was registered"
    _, live = sole_live(seen.endpoint)
    deployment = seen.endpoint.deployments.get(live or "")
    serving = deployment.model if deployment is not None else ""
    if _version_of(serving) == newest.version and _same_model(serving, newest.id):
        return None
    older = versions.known.get(_version_of(serving))
    if older is not None and _same_model(serving, older.id) and older.created >= newest.created:
        return None
    return newest, f"version {newest.version} was registered"


def _asked_version(
    record: Record | None, commands: tuple[CommandItem, ...], versions: Versions
) -> tuple[VersionSeen, str] | None:
    for command in commands:
        if command.action not in ("start", "retry") or _not_begun(record, command, versions):
            continue
        chosen = _meant(record, command, versions)
        if chosen is not None:
            return chosen, f"{command.action} by {command.who}: {command.reason}"
    return None


def _meant(record: Record | None, command: CommandItem, versions: Versions) -> VersionSeen | None:
    """The version that a `start` or `retry` speaks of, where the registry has it."""
    named = record.version if command.action == "retry" and record is not None else command.version
    return versions.known.get(named) if named else versions.newest


def _not_begun(record: Record | None, command: CommandItem, versions: Versions | None) -> str:
    """Why a `start` or `retry` begins nothing, or nothing. The door cannot tell: it does not know the versions."""
    if command.action not in ("start", "retry") or versions is None:
        return ""
    chosen = _meant(record, command, versions)
    if chosen is None:
        named = record.version if command.action == "retry" and record is not None else command.version
        return f"there is no version {named}" if named else "there is no version that the policy allows"
    if chosen.version not in versions.eligible:
        return f"version {chosen.version} lacks a tag that the policy requires"
    return ""


def _is_live(version: VersionSeen, endpoint: EndpointSeen | None) -> bool:
    """Whether the deployment that a rollout of the version would make has all live traffic already."""
    name = deployment_name(model_name(version.id), version.version, version.id, version.created)
    return endpoint is not None and sole_live(endpoint) == (True, name)


def _begun(
    place: Place,
    policy_text: str,
    before: Record | None,
    seen: Observation,
    version: VersionSeen,
    why: str,
    now: datetime,
) -> Decision:
    model = model_name(version.id)
    candidate = deployment_name(model, version.version, version.id, version.created)
    endpoint = seen.endpoint
    usable, live = sole_live(endpoint) if endpoint is not None else (True, None)
    tried = Tried(version.version, version.created)
    earlier = before.tried if before else ()
    record = Record(
        policy=place.policy,
        target=place.target,
        endpoint=place.endpoint,
        model=model,
        version=version.version,
        model_id=version.id,
        model_created=version.created,
        policy_text=policy_text,
        number=before.number + 1 if before else 1,
        phase=Phase.DEPLOYING,
        started=now,
        entered=now,
        candidate=candidate,
        live=live if usable else None,
        traffic=dict(endpoint.traffic) if endpoint else {},
        mirror=dict(endpoint.mirror) if endpoint else {},
        reasons=(why,),
        next_look=now,
        batch=place.batch,
        writes=before.writes if before else 0,
        tried=(*(t for t in earlier if t != tried), tried),
        leftovers=tuple(o for o in before.leftovers if o.deployment != candidate) if before else (),
        handled=before.handled if before else (),
        read_until=before.read_until if before else None,
    )
    record = _noted(having_read(record, seen), before, seen, now, "; before this rollout began")
    return Decision(record.noted(now, "decision", f"rollout of version {version.version}: {why}"))


def _tidied(record: Record, seen: Observation, now: datetime, pace: timedelta, *, observe: bool) -> Decision:
    """Delete what failed candidates left, once its time has come and it has no traffic at all.

    Where the policy only observes, nothing is deleted, and what asked for the way back is only told.
    """
    actions: list[Action] = []
    left = []
    for leftover in record.leftovers:
        if leftover.after > now or seen.endpoint is None or observe:
            left.append(leftover)
            continue
        if leftover.deployment not in seen.endpoint.deployments:
            continue
        if _has_traffic(seen.endpoint, leftover.deployment):
            text = f"deployment {leftover.deployment} is not deleted: somebody gave it traffic, so it is in use"
            record = record.noted(now, "decision", text)
            continue
        left.append(leftover)
        kept_for = _kept_for(seen.endpoint, leftover.deployment)
        if not kept_for:
            if seen.endpoint.deployments[leftover.deployment].state != "Deleting":
                actions += [SaveLogs(leftover.deployment), DeleteDeployment(leftover.deployment)]
        else:
            record = record.noted(now, "trouble", f"{leftover.deployment} is not deleted: {kept_for}")
    record = _noted(record, record, seen, now, "; only observed" if observe else "; nothing to act on")
    listed = seen.versions is not None
    updated = replace(
        having_read(record, seen),
        leftovers=tuple(left),
        list_versions=(record.list_versions or seen.unlisted) and not listed,
        traffic=dict(seen.endpoint.traffic) if seen.endpoint else record.traffic,
        mirror=dict(seen.endpoint.mirror) if seen.endpoint else record.mirror,
    )
    pause = _OBSERVED_PACE if observe else _DELETE_PACE
    return Decision(replace(updated, next_look=_next(updated, actions, now, pace, pause)), tuple(actions))


def _noted(record: Record, before: Record | None, seen: Observation, now: datetime, what_came_of_it: str) -> Record:
    """The record with a line for each alert and command: what came of it, or why it began nothing.

    `before` is the rollout that a command spoke of.
    """
    for alert in seen.alerts:
        text = f"{alert.rule} {'fired' if alert.fired else 'resolved'}: {alert.action}{what_came_of_it}"
        record = record.noted(now, "alert", text)
    for command in seen.commands:
        refused = _not_begun(before, command, seen.versions)
        came = f"; nothing was begun: {refused}" if refused else what_came_of_it
        record = record.noted(now, "command", f"{command.action} by {command.who}: {command.reason}{came}")
    return record


def _next(record: Record, actions: list[Action], now: datetime, pace: timedelta, pause: timedelta) -> datetime | None:
    if record.list_versions:
        return now + pace  # they could not be listed in this look
    times = [leftover.after for leftover in record.leftovers]
    if not times:
        return None
    # While a delete runs its time lies in the past: look again a little later.
    return max(min(times), now + pause) if actions or min(times) <= now else min(times)


def _has_traffic(endpoint: EndpointSeen, name: str) -> bool:
    return bool(endpoint.traffic.get(name) or endpoint.mirror.get(name))


def _kept_for(endpoint: EndpointSeen, name: str) -> str:
    """Why a deployment may not be deleted now, or nothing."""
    if endpoint.busy:
        return "an operation is running on the endpoint"
    healthy = {one.name for one in endpoint.deployments.values() if one.healthy}
    if endpoint.traffic and healthy == {name}:
        return "it is the last healthy deployment of an endpoint in use"
    return ""


_ID = re.compile(r"models/([^/:]+)(?:/versions/|:)([^/:]+)$", re.IGNORECASE)


def model_name(model_id: str) -> str:
    """The model's name in an ARM or azureml:// model id; the whole id where it has another form."""
    found = _ID.search(model_id)
    return found[1] if found else model_id


def _version_of(model_id: str) -> str:
    found = _ID.search(model_id)
    return found[2] if found else ""


def same_version(one: str, other: str) -> bool:
    """Whether two model ids, in whichever form, mean the same version of the same model."""
    return bool(_version_of(one)) and _version_of(one) == _version_of(other) and _same_model(one, other)


def _same_model(one: str, other: str) -> bool:
    return model_name(one) == model_name(other)
