"""What follows when no rollout is in flight: begin one, go back after one, or tidy up. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from policy.model import Policy
from rollout.beginning import asked_version, begun, is_live, noted
from rollout.decision import Action, Decision, DeleteDeployment, SaveLogs
from rollout.endpoint import EndpointSeen
from rollout.mark import having_read
from rollout.model_ids import same_model, version_of
from rollout.observation import Observation, VersionSeen
from rollout.phases import Phase
from rollout.place import Place
from rollout.record import Record, Tried
from rollout.returning import decide_return
from rollout.traffic import sole_live

_DELETE_PACE = timedelta(seconds=30)
"""Between two tries of a deletion, at first: what a lock forbids is tried ever more seldom, at last once an hour."""
_SELDOM = timedelta(hours=1)
"""Between two looks at what cannot be deleted, or only would be if the policy acted."""


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
        back = decide_return(place, policy, policy_text, record, seen, now, pace)
        if back is not None:
            return back
    start = _to_start(policy, record, seen)
    if start is not None:
        version, why = start
        return begun(place, policy, policy_text, record, seen, version, why, now)
    if record is None:
        return None
    return _tidied(record, seen, now, pace, observe=observe)


def _to_start(policy: Policy, record: Record | None, seen: Observation) -> tuple[VersionSeen, str] | None:
    """The version to roll out now and why: what a person asked for, else the newest one not yet tried."""
    versions = seen.versions
    if versions is None:
        return None
    asked = asked_version(record, seen.commands, versions)
    if asked is not None:
        # What failed though it has all of the traffic is finished by a person's word: its new rollout is done at once.
        unfinished = record is not None and record.phase is Phase.FAILED
        return None if is_live(policy, asked[0], seen.endpoint) and not unfinished else asked
    newest = versions.newest
    if newest is None or (record is not None and Tried(newest.version, newest.created) in record.tried):
        return None
    if seen.endpoint is None:
        return newest, f"version {newest.version} was registered"
    _, live = sole_live(seen.endpoint)
    deployment = seen.endpoint.deployments.get(live or "")
    serving = deployment.model if deployment is not None else ""
    if version_of(serving) == newest.version and same_model(serving, newest.id):
        return None
    older = versions.known.get(version_of(serving))
    if older is not None and same_model(serving, older.id) and older.created >= newest.created:
        return None
    return newest, f"version {newest.version} was registered"


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
            # The way back to it is the slow one from now on.
            record = replace(record, retired=record.retired or leftover.deployment == record.live)
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
                text = f"asked to delete deployment {leftover.deployment}: its time is over"
                record = record.noted(now, "write", text)
        else:
            record = record.noted(now, "trouble", f"{leftover.deployment} is not deleted: {kept_for}")
    record = noted(record, record, seen, now, "; only observed" if observe else "; nothing to act on")
    listed = seen.versions is not None
    updated = replace(
        having_read(record, seen),
        leftovers=tuple(left),
        wish=None,
        list_versions=(record.list_versions or seen.unlisted) and not listed,
        traffic=dict(seen.endpoint.traffic) if seen.endpoint else record.traffic,
        mirror=dict(seen.endpoint.mirror) if seen.endpoint else record.mirror,
    )
    return Decision(replace(updated, next_look=_next(updated, actions, now, pace, observe=observe)), tuple(actions))


def _next(record: Record, actions: list[Action], now: datetime, pace: timedelta, *, observe: bool) -> datetime | None:
    if record.list_versions:
        return now + pace  # they could not be listed in this look
    times = [leftover.after for leftover in record.leftovers]
    if not times:
        return None
    # While a delete runs its time lies in the past: look again a little later.
    pause = _SELDOM if observe else max(_DELETE_PACE, min((now - min(times)) / 10, _SELDOM))
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
