"""Going back after a rollout is over: one write while the old deployment is up, else its version is deployed again.

A rollout that failed with its version still in service is gone back from in the same ways; so is what is live after a
way back that failed.

The slow way is a record of kind `rollback` that goes deploying, testing (if the policy has a smoke test), full: it
skips shadow, canary, approval and waiting, because the version has had all of the traffic here before. Until it is up,
what serves now goes on serving. No alert and no gate turns it round: they would compare it with what was found bad.
Only a person does, and a deployment that is lost.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from policy.durations import lasting
from policy.model import Policy
from rollout.beginning import begun, noted
from rollout.decision import Decision
from rollout.endpoint import EndpointSeen
from rollout.look import Look
from rollout.mark import having_read
from rollout.model_ids import same_model, version_of
from rollout.observation import Observation, Versions, VersionSeen
from rollout.phases import Phase
from rollout.place import Place
from rollout.record import Record, Served, Tried, Wish
from rollout.rollback import rolling_back
from rollout.traffic import back, nowhere_back, sole_live

WISH_WITHIN = timedelta(hours=24)
"""How long a way back waits for the endpoint, or the list of versions, to be read before it is given up."""
MINUTES_TO_DEPLOY = 10
"""Said of an endpoint where none was measured yet (facts of the wire: 9 min 47 s)."""


def decide_return(
    place: Place, policy: Policy, policy_text: str, record: Record, seen: Observation, now: datetime, pace: timedelta
) -> Decision | None:
    """The way back from what a finished rollout left live, when something asks for it; None: nothing does."""
    cause = _asked(record, seen) or (record.wish.cause if record.wish else None)
    if cause is not None:
        return _as_asked(place, policy, policy_text, record, seen, cause, now, pace)
    return _from_a_lost_tag(place, policy, policy_text, record, seen, now, pace)


def _asked(record: Record, seen: Observation) -> str | None:
    """Who asked to go back from what is live, if this rollout may have made it so.

    An alert turns no way back round, whether it is done or a person called it off: save one that failed with traffic.
    """
    if record.phase is Phase.ROLLED_BACK:
        return None
    failed_live = record.phase is not Phase.DONE and record.traffic.get(record.candidate)
    for alert in seen.alerts:
        if alert.action == "rollback" and (record.kind == "rollout" or failed_live):
            return f"alert {alert.rule} {'fired' if alert.fired else 'resolved'}"
    for command in seen.commands:
        if command.action == "rollback":
            return f"rolled back by {command.who}: {command.reason}"
    return None


def _as_asked(
    place: Place,
    policy: Policy,
    policy_text: str,
    record: Record,
    seen: Observation,
    cause: str,
    now: datetime,
    pace: timedelta,
) -> Decision | None:
    endpoint = seen.endpoint
    if endpoint is None:
        # Not read is not gone: what was asked for must not be lost to one call that failed.
        return _wished(record, seen, cause, "the endpoint could not be read, so it is read again", now, pace)
    leaving = _left_live(record, endpoint)
    if leaving is None:
        return None
    # A deployment that the slow way made and found bad may be healthy: it is tested again before it gets traffic.
    untested = leaving is not record
    to = None if untested else back(leaving, endpoint)
    if to is not None:
        return _at_once(policy, leaving, seen, to, cause, now, pace)
    if _served(leaving, endpoint, leaving.model_id) and sole_live(endpoint)[0]:
        if seen.versions is None:
            return _wished(record, seen, cause, "the deployment is gone, so its version is looked up", now, pace)
        version = _newest_known(leaving, endpoint, seen.versions, leaving.model_id, by_age=False)
        if version is not None:
            return _slowly(place, policy, policy_text, leaving, seen, version, cause, now)
    if untested or record.phase is Phase.DONE or nowhere_back(leaving, endpoint):
        return None
    # It is there and not healthy: waited for again, as long as the rollout that failed had waited.
    return _at_once(policy, leaving, seen, leaving.live, cause, now, pace)


def _left_live(record: Record, endpoint: EndpointSeen) -> Record | None:
    """The record as of the version to go back from: its own, while it has live traffic; None: it left nothing live.

    Where a slow way back failed before it had traffic, that is the version it came from.
    """
    if endpoint.traffic.get(record.candidate):
        return record
    bad = endpoint.deployments.get(record.live or "")
    if not failed_to_return(record) or bad is None or not endpoint.traffic.get(bad.name):
        return None
    return replace(record, version=version_of(bad.model), model_id=bad.model, candidate=bad.name, live=record.candidate)


def failed_to_return(record: Record) -> bool:
    """Whether the record is of a way back that did not come about."""
    return record.kind == "rollback" and record.phase is Phase.FAILED


def _wished(record: Record, seen: Observation, cause: str, why: str, now: datetime, pace: timedelta) -> Decision:
    """The wish is kept until what it needs could be read: the endpoint, and the versions, for the way back must not
    go to one that was withdrawn.
    """
    wish = record.wish or Wish(cause, now)
    record = noted(having_read(record, seen), record, seen, now, f"; {why}")
    if now - wish.since > WISH_WITHIN:
        missing = "the endpoint could not be read" if seen.endpoint is None else "the versions could not be listed"
        text = f"given up after {lasting(WISH_WITHIN)}, {missing}: {wish.cause}"
        return Decision(replace(record, wish=None, next_look=None).noted(now, "decision", text))
    first = record.wish is None
    return Decision(replace(record, wish=wish, list_versions=True, next_look=now if first else now + pace))


def _from_a_lost_tag(
    place: Place, policy: Policy, policy_text: str, record: Record, seen: Observation, now: datetime, pace: timedelta
) -> Decision | None:
    """Back from a version of ours that was listed without the tag, to the newest one that served here and has it.

    A version that is merely not listed (archived, or a listing that lacks it) is no reason to touch what is live.
    """
    endpoint, versions = seen.endpoint, seen.versions
    usable, live = sole_live(endpoint) if endpoint is not None else (False, None)
    deployment = endpoint.deployments.get(live or "") if endpoint is not None else None
    if endpoint is None or versions is None or not usable or deployment is None:
        return None
    bad = versions.known.get(version_of(deployment.model))
    if bad is None or bad.version in versions.eligible or not same_model(bad.id, deployment.model):
        return None
    if Tried(bad.version, bad.created) not in record.tried:
        return None
    to = _newest_known(record, endpoint, versions, deployment.model, by_age=True)
    if to is None:
        return None
    cause = f"version {bad.version} lost a tag that the policy requires"
    of_bad = replace(record, version=bad.version, model_id=bad.id, model_created=bad.created, candidate=deployment.name)
    up = next((d for d in endpoint.deployments.values() if d.healthy and _is_of(d.model, to)), None)
    if up is not None:
        return _at_once(policy, of_bad, seen, up.name, cause, now, pace)
    return _slowly(place, policy, policy_text, record, seen, to, cause, now)


def _served(record: Record, endpoint: EndpointSeen, but: str) -> list[Served]:
    """What had all live traffic here before, newest first, without the version `but`."""
    old = endpoint.deployments.get(record.live or "")
    last = (Served(version_of(old.model), old.model, old.name),) if old is not None else ()
    return [one for one in (*last, *record.earlier) if one.model_id.lower() != but.lower()]


def _newest_known(
    record: Record, endpoint: EndpointSeen, versions: Versions, but: str, *, by_age: bool
) -> VersionSeen | None:
    """The version to go back to: the last that served, or by its age the newest; always one that the policy allows."""
    found = [
        versions.known[one.version]
        for one in _served(record, endpoint, but)
        if one.version in versions.eligible and _is_of(one.model_id, versions.known[one.version])
    ]
    leaves = versions.known.get(version_of(but))
    if by_age and leaves is not None:
        older = [one for one in found if one.created < leaves.created]
        return max(older, key=lambda one: one.created, default=None)
    return next(iter(found), None)


def _is_of(model_id: str, version: VersionSeen) -> bool:
    return version_of(model_id) == version.version and same_model(model_id, version.id)


def _at_once(
    policy: Policy, record: Record, seen: Observation, to: str | None, cause: str, now: datetime, pace: timedelta
) -> Decision:
    """A record of kind `rollback` whose one write is sent in this very look; every step is skipped.

    While `to` is not healthy the write waits for it.
    """
    endpoint = seen.endpoint
    returning = replace(
        record,
        kind="rollback",
        live=to,
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
        wish=None,
        traffic=dict(endpoint.traffic) if endpoint else {},
        mirror=dict(endpoint.mirror) if endpoint else {},
        next_look=now,
    )
    returning = noted(having_read(returning, seen), record, seen, now, "").noted(
        now, "decision", f"going back after {record.phase.value}: {cause}"
    )
    return rolling_back(Look(policy, returning, seen, now, pace))


def _slowly(
    place: Place,
    policy: Policy,
    policy_text: str,
    record: Record,
    seen: Observation,
    to: VersionSeen,
    cause: str,
    now: datetime,
) -> Decision:
    """A record of kind `rollback` that deploys the version again; what is live serves until it is up."""
    why = f"{cause}; {slow_note(record)}"
    decision = begun(place, policy, policy_text, record, seen, to, why, now, kind="rollback")
    return Decision(replace(decision.record, harm_seen=now))


def slow_note(record: Record) -> str:
    """What a way back costs when the deployment is gone."""
    minutes = max(round(record.deploy_seconds / 60), 1) if record.deploy_seconds else MINUTES_TO_DEPLOY
    return f"slow: the deployment must be made again, about {minutes} min"


def harm_while_returning(look: Look) -> str | None:
    """Why the slow way back is given up: a person says so, or its deployment is lost. No alert, no gate."""
    before_traffic = look.record.phase in (Phase.DEPLOYING, Phase.TESTING)
    for command in look.seen.commands:
        if command.action == ("reject" if before_traffic else "rollback"):
            return f"called off by {command.who}: {command.reason}"
    return look.lost_candidate()
