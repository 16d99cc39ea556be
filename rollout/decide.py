"""`decide`: (policy, record, what was seen, now) -> the next record and the actions. Pure and total.

The order of importance is the order of this file: what was read from the inbox is taken in; harm, from whatever
source, sends the traffic back in this very look; only then may the present phase go forward (`rollout.steps`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from policy.model import Policy
from rollout.batch_verdict import judge_batch
from rollout.capacity import with_refusal, with_size
from rollout.decision import Decision
from rollout.foreign import with_split
from rollout.frozen import with_freeze
from rollout.holding_gates import held_by, with_machines
from rollout.idle import decide_idle
from rollout.judge import judge
from rollout.look import Look
from rollout.mark import having_read
from rollout.observation import AlertItem, CommandItem, Observation, VersionSeen
from rollout.observing import in_mode, marked
from rollout.phases import Flag, Phase
from rollout.place import Place
from rollout.record import Basis, Record, Tried
from rollout.returning import harm_while_returning
from rollout.rollback import go_back, rolling_back, superseded_in_service
from rollout.sample import with_jobs
from rollout.steps import BLIND_WITHIN, forward
from rollout.traffic import nowhere_back, wanted
from rollout.unproven import with_checks
from rollout.verdict import Outcome, Verdict, weighed

STEP_HOLDS = (Phase.TESTING, Phase.SHADOW, Phase.CANARY, Phase.WAITING, Phase.CHECKING, Phase.FULL)
"""Phases that `advance` can pass. Never an approval."""


def decide(
    place: Place,
    policy: Policy,
    policy_text: str,
    record: Record | None,
    seen: Observation,
    now: datetime,
    *,
    pace: timedelta,
) -> Decision | None:
    """What follows from what was seen; None: nothing is known and nothing is to be done.

    `policy` is the one in force for a new rollout and the one that the rollout began with for one in flight. `pace`
    is the time between looks.
    """
    if record is None or record.terminal:
        decision = decide_idle(place, policy, policy_text, record, seen, now, pace=pace)
        return marked(policy, decision) if decision is not None else None
    record = in_mode(policy, policy_text, record, now)
    record = with_machines(with_checks(record, seen), seen)
    record = with_size(with_refusal(_taken_in(record, seen, now), now), seen.endpoint)
    record = with_split(policy, record, seen, now)
    look = Look(policy, record, seen, now, pace)
    return marked(policy, with_jobs(look, _in_flight(look)))


def _in_flight(look: Look) -> Decision:
    """Going back, then harm, then a newer version, then the phase."""
    policy, seen = look.policy, look.seen
    look = replace(look, record=replace(look.record, wants=None))
    if look.record.phase is Phase.ROLLING_BACK:
        return rolling_back(look)
    verdict = _verdict(look)
    look = replace(look, record=_measured(look, verdict), verdict=verdict)
    cause, newer = _harm(look), _newer(look)
    if cause is not None and newer is not None and seen.endpoint and nowhere_back(look.record, seen.endpoint):
        return superseded_in_service(look, cause, newer.version)
    if cause is not None:
        return go_back(look, cause, Phase.FAILED if look.record.kind == "rollback" else Phase.ROLLED_BACK)
    look = with_freeze(look)
    if newer is not None and policy.on_new_version == "supersede":
        return _superseded(look, newer.version)
    if newer is not None and policy.on_new_version == "ignore":
        look = replace(look, record=_ignored(look.record, newer, look.now))
    return forward(look)


def _taken_in(record: Record, seen: Observation, now: datetime) -> Record:
    """The record with the inbox applied: flags, holds, passed steps."""
    for alert in seen.alerts:
        record = _alerted(record.noted(now, "alert", alert.words), alert)
    for command in seen.commands:
        record = _commanded(record.noted(now, "command", command.words), command)
    for trouble in (*seen.trouble, *seen.notices):
        record = record.noted(now, "trouble", trouble)
    unlisted = (record.list_versions or seen.unlisted) and seen.versions is None
    return having_read(replace(record, list_versions=unlisted), seen)


def _alerted(record: Record, alert: AlertItem) -> Record:
    if not alert.fired:
        record = replace(record, holds=record.holds - {alert.alert_id}, released=record.released | {alert.alert_id})
    if alert.action == "hold" and alert.fired and alert.alert_id not in record.released:
        return replace(record, holds=record.holds | {alert.alert_id})
    if alert.action == "advance" and record.phase in STEP_HOLDS and alert.at >= record.entered:
        return replace(record, passed=True)
    return record


def _commanded(record: Record, command: CommandItem) -> Record:
    action = command.action
    if action == "pause":
        return replace(record, flags=record.flags | {Flag.PAUSED})
    if action in ("resume", "retry"):
        return replace(record, flags=record.flags - {Flag.PAUSED}, holds=frozenset(), refused="", short=None)
    # What was said before the step began was said of another step.
    of_this_step = command.at >= record.entered
    if action == "approve" and record.phase is Phase.AWAITING_APPROVAL and of_this_step:
        return replace(record, passed=True)
    if action == "advance" and record.phase in (*STEP_HOLDS, Phase.RETIRING) and of_this_step:
        return replace(record, passed=True)
    return record


def _verdict(look: Look) -> Verdict | None:
    if look.seen.evidence is None:
        return None
    if look.record.batch:
        return judge_batch(look.policy.gates, look.seen.evidence)
    _, mirror = wanted(look.policy, look.record)
    verdict = judge(look.policy.gates, look.seen.evidence, shadow=bool(mirror))
    held = held_by(look.policy, look.record, look.seen, look.now)
    return weighed((*verdict.findings, *held), look.policy.gates.dry_run)


def _measured(look: Look, verdict: Verdict | None) -> Record:
    """The record with the findings, and with the time at which evidence was last read."""
    record = look.record
    if verdict is not None:
        read = look.seen.evidence
        basis = Basis(read.since, read.until, read.source, read.queries) if read is not None else None
        return replace(record, evidence=verdict.measured, basis=basis, evidence_at=look.now)
    late = look.now - record.next_look if record.next_look else timedelta()
    seen = record.evidence_at or record.since
    if seen is not None and late >= BLIND_WITHIN:
        # Nobody looked for a day: that is not blindness, and this one failed read must not count for it.
        return replace(record, evidence_at=seen + late)
    return record


def _harm(look: Look) -> str | None:
    """Why the traffic must go back now, or None. Every phase asks this before anything else."""
    if look.record.kind == "rollback":
        return harm_while_returning(look)
    for alert in look.seen.alerts:
        if alert.action == "rollback":
            return f"alert {alert.rule} {'fired' if alert.fired else 'resolved'}"
    for command in look.seen.commands:
        if command.action == "rollback":
            return f"rolled back by {command.who}: {command.reason}"
        if command.action == "reject" and look.record.phase is Phase.AWAITING_APPROVAL:
            return f"rejected by {command.who}: {command.reason}"
    if look.verdict is not None and look.verdict.outcome is Outcome.HARM:
        return "; ".join(look.verdict.reasons)
    lost = look.lost_candidate()
    if lost is not None:
        return lost
    versions = look.seen.versions
    if versions is not None and look.record.kind == "rollout" and look.record.version not in versions.eligible:
        listed = look.record.version in versions.known
        why = "lost a tag that the policy requires" if listed else "is archived, or no longer listed"
        return f"version {look.record.version} {why}"
    return None


def _newer(look: Look) -> VersionSeen | None:
    """The version that was registered after this rollout's own; what was tried before a person started this is none."""
    newest = look.seen.versions.newest if look.seen.versions else None
    if newest is None or look.record.kind != "rollout":
        return None
    if newest.created <= look.record.model_created or newest.version == look.record.version:
        return None
    return None if Tried(newest.version, newest.created) in look.record.tried else newest


def _ignored(record: Record, newer: VersionSeen, now: datetime) -> Record:
    """The record with the newer version among the tried ones: it is not rolled out by itself, now or later."""
    tried = Tried(newer.version, newer.created)
    text = f"version {newer.version} was registered and is ignored, as the policy says; `start` rolls it out"
    return replace(record, tried=(*record.tried, tried)).noted(now, "decision", text)


def _superseded(look: Look, newer: str) -> Decision:
    if look.record.phase in (Phase.FULL, Phase.RETIRING):
        # The version has all of the traffic already: it is finished first, and does not wait to retire the old one.
        if look.record.phase is Phase.RETIRING:
            look = replace(look, record=replace(look.record, passed=True))
        return forward(look)
    return go_back(look, f"version {newer} was registered", Phase.SUPERSEDED)
