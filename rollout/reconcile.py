"""One look at one endpoint: lease, load, observe, decide, save the intent, act, save the outcome.

Whatever asked for the look only said "look here". A look that finds the endpoint leased is a success: it asks for
another one a little later, so that an alert storm never fills a poison queue.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cloud.blobs import Lease
from cloud.errors import CloudError, Temporary
from policy.load import load
from policy.match import endpoint_id
from policy.model import Policy, Target
from policy.problems import PolicyError
from rollout.act import Outcome, act
from rollout.asking import ask
from rollout.context import EVENT_WORK, ROLLOUT_WORK, Context
from rollout.decide import decide
from rollout.decision import Decision, SendLoad
from rollout.hooks import asks
from rollout.inbox import stops
from rollout.journal import canonical, is_block, journaled, with_outcome
from rollout.observation import Observation
from rollout.observe import Seen, observe
from rollout.observing import is_observed
from rollout.phases import TERMINAL, Phase
from rollout.place import Place, owns
from rollout.policies import InForce
from rollout.recall import with_evidence
from rollout.record import Record
from rollout.renewing import sparingly
from rollout.store import Kept
from rollout.transitions import announced

TAKEN_AGAIN_SECONDS = 2.0
"""When the next look comes after one that found the endpoint leased by another."""
SOON_SECONDS = 120.0
"""Looks within this time are queued by the look before; later ones by the timer."""
LEASE_TRY_SECONDS = 0.25
"""Between two tries of a look that has the patience to wait for the lease."""


@dataclass(frozen=True)
class Looked:
    """What a look came to, in words for the log."""

    text: str
    record: Record | None = None


def find(in_force: InForce, policy: str, target: str, endpoint: str) -> tuple[Place, Policy, Target] | None:
    """The place that a work item or a URL names, with the policy in effect there; None: no policy in force has it."""
    found = in_force.policies.get(policy)
    for one in found.targets if found else ():
        if found is not None and one.name == target and owns(one, endpoint):
            name = endpoint.lower()
            return Place(policy, target, name, endpoint_id(one, name)), found.at(one), one
    return None


def acting(context: Context) -> list[tuple[Policy, tuple[Place, ...]]]:
    """Every policy that alerts and commands may act by, each with the only places it acts at (empty: all of its own).

    Those in force; and for a rollout in flight whose endpoint no policy in force has any more, the one it began with.
    """
    in_force = context.policies.current()
    found: list[tuple[Policy, tuple[Place, ...]]] = [(policy, ()) for policy in in_force.policies.values()]
    for one in context.store.listings():
        if Phase(one.phase) in TERMINAL or find(in_force, one.policy, one.target, one.endpoint) is not None:
            continue
        kept = context.store.load(one.policy, one.target, one.endpoint)
        try:
            began = _found(context, kept, one.policy, one.target, one.endpoint) if kept else None
        except PolicyError:  # no longer understood: the alerts of every other endpoint do not wait for its mending
            continue
        if began is not None:
            found.append((began[1], (began[0],)))
    return found


def look(
    context: Context,
    policy: str,
    target: str,
    endpoint: str,
    *,
    quick: bool = False,
    patience: timedelta = timedelta(),
) -> Looked:
    """Look once. `quick`: only what a rollback needs. `patience`: how long to wait for a lease that is taken.

    Raises nothing that a later look would mend by itself.
    """
    kept = context.store.load(policy, target, endpoint.lower())
    found = _found(context, kept, policy, target, endpoint)
    if found is None:
        return Looked(f"no policy in force has {policy}/{target}/{endpoint}")
    place = found[0]
    if kept is not None and not quick and not _due(context, place, kept.record):
        return Looked("not due yet", kept.record)
    try:
        lease, taken = _patient_lease(context, place, context.clock() + patience)
        if lease is None:
            context.queues.send(ROLLOUT_WORK, place.message, delay=TAKEN_AGAIN_SECONDS)
            return Looked("the endpoint is being looked at; another look is queued")
        try:
            return _leased(context, place, sparingly(lease.renew, context.clock, taken), quick=quick)
        finally:
            with suppress(CloudError):  # a lease that cannot be given back runs out by itself
                lease.release()
    except Temporary as error:
        if not _timer_asks(kept, context.clock()):
            context.queues.send(ROLLOUT_WORK, place.message, delay=max(error.retry_after, TAKEN_AGAIN_SECONDS))
        return Looked(f"looking again: {error}")


def _due(context: Context, place: Place, record: Record) -> bool:
    """Whether there is anything to look at: the time has come, or something is in the inbox.

    Work items come from the timer, from events and from looks; those that come early are dropped here, so that there
    is one look at a time however many asked for it.
    """
    if record.due is not None and record.due <= context.clock():
        return True
    unread = context.store.unread(place, record).items
    # What waits for a listing that failed is tried at the looks that are due: if it called for more, each message would
    # queue another and none would be dropped.
    return stops(unread) if record.list_versions else bool(unread)


def _timer_asks(kept: Kept | None, now: datetime) -> bool:
    """Whether the timer asks for another look, so that one that failed need not: each asking too would multiply them.

    It does so for what is due. What came early, for an alert at a finished rollout that waits a day, must ask itself.
    """
    return kept is not None and kept.record.due is not None and kept.record.due <= now


def _patient_lease(context: Context, place: Place, deadline: datetime) -> tuple[Lease | None, datetime]:
    """The lease, if it could be had by then, and when it was asked for."""
    while True:
        asked = context.clock()
        lease = context.store.lock(place)
        if lease is not None or asked >= deadline:
            return lease, asked
        context.wait(LEASE_TRY_SECONDS)


def _found(
    context: Context, kept: Kept | None, policy: str, target: str, endpoint: str
) -> tuple[Place, Policy, Target, str] | None:
    """The place, the policy in effect there, the target, and the text of the whole policy.

    A rollout in flight keeps to the policy it began with, even when that is no longer in force. One that only observes
    has begun nothing: it follows the policy in force as long as there is one.
    """
    flying = kept.record if kept is not None and not kept.record.terminal else None
    if flying is None or is_observed(flying):
        in_force = context.policies.current()
        found = find(in_force, policy, target, endpoint)
        if found is not None or flying is None:
            return (*found, in_force.texts[policy]) if found is not None else None
    began = InForce({policy: load(flying.policy_text, f"{policy}.yaml", rules=False)})
    found = find(began, policy, target, endpoint)
    return (*found, flying.policy_text) if found is not None else None


def _leased(context: Context, place: Place, renew: Callable[[], None], *, quick: bool) -> Looked:
    # Read again under the lease: another look may have written since.
    kept = context.store.load(place.policy, place.target, place.endpoint)
    found = _found(context, kept, place.policy, place.target, place.endpoint)
    if found is None:
        return Looked("the policy is no longer in force")
    _, policy, target, text = found
    record = kept.record if kept else None
    seen = observe(context, place, policy, target, record, quick=quick, renew=renew)

    def decided(seen: Seen) -> tuple[datetime, Observation, Decision | None]:
        now, shown = context.clock(), canonical(seen.observation)
        return now, shown, decide(place, policy, text, record, shown, now, pace=context.pace)

    now, shown, decision = decided(seen)
    if decision is not None and not quick and asks(decision.record):
        # Only now: who would go back asks nobody.
        answers = ask(context, place, policy, decision.record, renew=renew)
        seen = replace(seen, observation=replace(seen.observation, hooks=answers))
        now, shown, decision = decided(seen)
    if shown.recalled and _moves(record, decision):
        # What was remembered of the endpoint is not acted on: it is read, and decided anew.
        again = observe(context, place, policy, target, record, quick=quick, fresh=True, renew=renew)
        seen = replace(again, observation=with_evidence(again.observation, seen.observation))
        now, shown, decision = decided(seen)
    if decision is None:
        if seen.observation.unlisted:
            raise Temporary("; ".join(seen.observation.trouble) or "the model's versions could not be listed")
        return Looked("nothing to do")
    if kept is not None and decision.record == kept.record and not decision.actions:
        announcing = _announcing(context, place, kept.record)
        if announcing != kept.record:
            context.store.save(announcing, kept.etag)
        return Looked("nothing new", kept.record)
    if record is not None and is_block(record.journal) and not quick and not decision.urgent:
        record = context.store.flushed(record)
    noted = journaled(record, decision, shown, text, now, context.pace)
    if context.sinks:
        noted = announced(record, noted, now)
    return _done(context, place, policy, kept, seen, replace(decision, record=noted), renew=renew)


def _moves(record: Record | None, decision: Decision | None) -> bool:
    """Whether the decision writes anything to Azure, or goes on to another phase or step.

    Load is no write: it is sent by what the sending itself reads of the endpoint.
    """
    if record is None or decision is None:
        return False
    after = decision.record
    writes = any(not isinstance(action, SendLoad) for action in decision.actions)
    return writes or (after.phase, after.step) != (record.phase, record.step)


def _done(
    context: Context,
    place: Place,
    policy: Policy,
    kept: Kept | None,
    seen: Seen,
    decision: Decision,
    *,
    renew: Callable[[], None],
) -> Looked:
    if kept is not None and kept.record.terminal:
        try:
            context.store.archive(kept.record)
        except CloudError:
            # It was archived at its end, but for a worker that died there; the way back does not wait for it.
            if not decision.urgent:
                raise
    # The intent is written before anything is done: after a crash the next look knows what was asked.
    saved = context.store.save(replace(decision.record, refused=""), kept.etag if kept else None)
    outcome = act(context, place, policy, saved.record, seen, decision.actions, renew=renew)
    record = with_outcome(saved.record, outcome, context.clock(), context.pace)
    if record.terminal:
        record = context.store.flushed(record)
    record = _announcing(context, place, record)
    if record != saved.record:
        saved = context.store.save(record, saved.etag)
    if record.terminal:
        context.store.archive(saved.record)
    _queue_next(context, place, saved.record, outcome)
    return Looked(f"{saved.record.phase.value}: {'; '.join(saved.record.reasons)}", saved.record)


def _announcing(context: Context, place: Place, record: Record) -> Record:
    """The record whose events are on their way to the publisher; where storage does not take them now, as it is."""
    events = record.outbox.events
    if not events:
        return record
    with suppress(CloudError):
        for event in events:
            context.store.announce(place, event)
        context.queues.send(EVENT_WORK, {**place.message, "key": place.key})
        return replace(record, outbox=replace(record.outbox, events=()))
    return record


def _queue_next(context: Context, place: Place, record: Record, outcome: Outcome) -> None:
    """Queue the look that the record asks for. The timer would find it too, only later; far ones are left to it."""
    if outcome.blocked:
        context.queues.send(ROLLOUT_WORK, place.message)
    elif record.next_look is not None:
        seconds = (record.next_look - context.clock()).total_seconds()
        if seconds <= SOON_SECONDS:
            # Whole seconds, rounded up: a message that comes early is dropped as not due.
            context.queues.send(ROLLOUT_WORK, place.message, delay=math.ceil(max(seconds, 0.0)))
