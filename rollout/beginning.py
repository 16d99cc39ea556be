"""The record of a rollout that begins, and what `start` and `retry` ask for. Pure."""

from __future__ import annotations

from datetime import datetime

from policy.model import Policy
from rollout.decision import Decision
from rollout.endpoint import EndpointSeen
from rollout.mark import having_read
from rollout.model_ids import model_name
from rollout.names import deployment_name, settings_digest
from rollout.observation import CommandItem, Observation, Versions, VersionSeen
from rollout.phases import Phase
from rollout.place import Place
from rollout.record import Record, Tried
from rollout.traffic import sole_live

_WORDS = {"rollout": "rollout of", "rollback": "going back to"}


def asked_version(
    record: Record | None, commands: tuple[CommandItem, ...], versions: Versions
) -> tuple[VersionSeen, str] | None:
    """The version that a person asked for and why."""
    for command in commands:
        if command.action not in ("start", "retry") or not_begun(record, command, versions):
            continue
        chosen = _meant(record, command, versions)
        if chosen is not None:
            return chosen, command.words
    return None


def _meant(record: Record | None, command: CommandItem, versions: Versions) -> VersionSeen | None:
    """The version that a `start` or `retry` speaks of, where the registry has it."""
    named = record.version if command.action == "retry" and record is not None else command.version
    return versions.known.get(named) if named else versions.newest


def not_begun(record: Record | None, command: CommandItem, versions: Versions | None) -> str:
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


def is_live(policy: Policy, version: VersionSeen, endpoint: EndpointSeen | None) -> bool:
    """Whether the deployment that a rollout of the version would make has all live traffic already."""
    return endpoint is not None and sole_live(endpoint) == (True, candidate_name(policy, version, endpoint))


def candidate_name(policy: Policy, version: VersionSeen, endpoint: EndpointSeen | None) -> str:
    """The name of the deployment to make for a version.

    Where one of that name is up that was made by other `deployment` settings, it is another: a new try then has what
    the policy says now.
    """
    of = (model_name(version.id), version.version, version.id, version.created)
    name, settings = deployment_name(*of), settings_digest(policy.deployment)
    there = endpoint.deployments.get(name) if endpoint is not None else None
    if there is None or there.made_by in ("", settings):
        return name
    return deployment_name(*of, settings=settings)


def begun(
    place: Place,
    policy: Policy,
    policy_text: str,
    before: Record | None,
    seen: Observation,
    version: VersionSeen,
    why: str,
    now: datetime,
    *,
    kind: str = "rollout",
) -> Decision:
    """The record of a new rollout, with what outlives the one before. What it needs is asked for in the next look."""
    model, endpoint = model_name(version.id), seen.endpoint
    candidate = candidate_name(policy, version, endpoint)
    usable, live = sole_live(endpoint) if endpoint is not None else (True, None)
    tried = Tried(version.version, version.created)
    earlier = before.tried if before else ()
    record = Record(
        policy=place.policy,
        target=place.target,
        endpoint=place.endpoint,
        kind=kind,
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
        earlier=before.earlier if before else (),
        kept=before.kept if before else (),
        deploy_seconds=before.deploy_seconds if before else 0.0,
        handled=before.handled if before else (),
        read_until=before.read_until if before else None,
    )
    record = noted(having_read(record, seen), before, seen, now, "; before this rollout began")
    return Decision(record.noted(now, "decision", f"{_WORDS[kind]} version {version.version}: {why}"))


def noted(record: Record, before: Record | None, seen: Observation, now: datetime, what_came_of_it: str) -> Record:
    """The record with a line for each alert and command: what came of it, or why it began nothing.

    `before` is the rollout that a command spoke of.
    """
    for alert in seen.alerts:
        record = record.noted(now, "alert", f"{alert.words}{what_came_of_it}")
    for command in seen.commands:
        refused = not_begun(before, command, seen.versions)
        came = f"; nothing was begun: {refused}" if refused else what_came_of_it
        record = record.noted(now, "command", f"{command.words}{came}")
    for notice in seen.notices:
        record = record.noted(now, "trouble", notice)
    return record
