"""The first phase: wait until the endpoint is as expected, create the candidate, wait until it serves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from policy.durations import lasting
from policy.names import ENDPOINT_RULE, valid_endpoint
from rollout.affordable import unaffordable
from rollout.capacity import first_size, with_size
from rollout.deadlines import unless_overdue
from rollout.decision import CreateDeployment, Decision, DeleteDeployment, SaveLogs
from rollout.endpoint import EndpointSeen
from rollout.hooks import before_start
from rollout.look import Enter, Look
from rollout.model_ids import version_of
from rollout.phases import Flag, Phase
from rollout.record import Record, Served
from rollout.rollback import go_back
from rollout.traffic import sole_live, split_words
from rollout.unproven import unproven

START_WITHIN = timedelta(hours=24)
"""How long a rollout waits for its endpoint to be as expected before it fails."""
DEPLOY_WITHIN = timedelta(hours=1)
"""Azure has been seen to sit in Creating for 45 minutes before it says that a container failed."""
MOST_SERVED = 10


def deploying(look: Look) -> Decision | Enter:
    """Wait until the endpoint is as expected, create the candidate, wait until it serves."""
    candidate = look.candidate
    if candidate is None or look.record.since is None:
        return _start(look)
    if candidate.state == "Succeeded":
        if look.stopped:
            return unless_overdue(look, look.stay(look.stopped), START_WITHIN)
        up = replace(look, record=replace(look.record, deploy_seconds=look.lasted.total_seconds()))
        return Enter(up, 0, f"deployment {candidate.name} is up")
    gave_way = candidate.state == "Canceled" or "OperationCanceled" in candidate.failure
    if candidate.state == "Failed" and not gave_way:
        return go_back(look, f"deployment failed: {candidate.failure or 'Azure gives no reason'}", Phase.FAILED)
    if look.lasted > DEPLOY_WITHIN:
        return go_back(look, f"deployment {candidate.name} was not up within {lasting(DEPLOY_WITHIN)}", Phase.FAILED)
    if gave_way:
        return _delete(look, f"Azure canceled the deployment of {candidate.name}; it is made again")
    return look.stay(f"deployment {candidate.name} is {candidate.state}")


def _start(look: Look) -> Decision | Enter:
    """Create the candidate, unless the endpoint is not as expected; then say what was seen and wait."""
    blocked = obstacle(look)
    endpoint = look.seen.endpoint
    if blocked is not None or endpoint is None:
        return blocked or look.stay("the endpoint could not be read")
    usable, live = sole_live(endpoint)
    if not usable:
        live = _largest(endpoint, look.record.candidate)
    candidate = look.candidate
    if live == look.record.candidate and (candidate is None or not candidate.healthy):
        state = candidate.state if candidate else "gone"
        reason = f"deployment {live} of this very version has all live traffic and is {state}; give another the traffic"
        return look.stay(reason, flags=frozenset({Flag.HELD}), after=look.pace * 5)
    if live == look.record.candidate:
        look = replace(look, record=replace(look.record, live=None))
        return Enter(look, len(look.policy.steps), f"deployment {look.record.candidate} has all live traffic already")
    if candidate is not None and candidate.state in ("Failed", "Canceled"):
        # Left by an earlier try: Azure cannot update it, so it is deleted and made anew.
        return _delete(look, f"deleting the failed deployment {candidate.name} of an earlier try")
    if candidate is not None and candidate.state == "Deleting":
        return look.stay(f"deployment {candidate.name} of an earlier try is being deleted")
    if look.seen.autoscaled is None and look.record.kind == "rollout":
        return look.stay("the autoscale settings could not be read", *look.seen.trouble, after=look.pace * 5)
    held = unproven(look)
    if held is not None:
        return held
    dear = unaffordable(look, _with_live(look, live, endpoint))
    if dear is not None:
        return dear
    if candidate is None:
        leave = before_start(look)
        if isinstance(leave, Decision):
            return leave
        look = leave
    record = _with_live(look, live, endpoint)
    if candidate is not None:
        return deploying(replace(look, record=record))
    if look.record.since is None:
        record = record.noted(look.now, "write", f"asked for deployment {record.candidate}")
    staying = replace(look, record=record).stay(f"creating deployment {record.candidate}").record
    instances = first_size(look.policy, record)
    return Decision(staying, (CreateDeployment(record.candidate, record.model_id, live, instances),))


def _with_live(look: Look, live: str | None, endpoint: EndpointSeen) -> Record:
    """The record with what is live as the rollout begins."""
    record = replace(look.record, live=live, since=look.now, autoscaled=bool(look.seen.autoscaled))
    return with_size(_with_served(record, endpoint), endpoint)


def _with_served(record: Record, endpoint: EndpointSeen) -> Record:
    """The record with what is live now first among what served here; the newest ten are remembered."""
    live = endpoint.deployments.get(record.live or "")
    if live is None or not live.model:
        return record
    served = Served(version_of(live.model), live.model, live.name)
    others = (one for one in record.earlier if one.model_id.lower() != live.model.lower())
    return replace(record, earlier=(served, *others)[:MOST_SERVED])


def obstacle(look: Look) -> Decision | None:
    """What keeps the rollout from its start, or None."""
    endpoint, refused, short = look.seen.endpoint, look.record.refused, look.record.short
    turn = _not_its_turn(look)
    if turn is not None:
        return turn
    if look.overdue(START_WITHIN):
        why = "; ".join(look.record.reasons) or "it could not start"
        return go_back(look, f"not started within {lasting(START_WITHIN)}: {why}", Phase.FAILED)
    if refused:
        return go_back(look, f"Azure refused the deployment: {refused}", Phase.FAILED)
    if short is not None and look.now < short.again:
        return look.stay(short.text, flags=frozenset({Flag.HELD}), after=max(short.again - look.now, look.pace))
    if endpoint is None and look.seen.unread:
        return look.stay("the endpoint could not be read", *look.seen.trouble)
    if endpoint is None:
        reason = f"endpoint {look.record.endpoint} does not exist; {create_or_mend(look.record.endpoint)}"
        return look.stay(reason, flags=frozenset({Flag.HELD}), after=look.pace * 5)
    if look.stopped:
        return look.stay(look.stopped)
    if endpoint.busy:
        return look.stay(f"the endpoint is {endpoint.state}")
    reason = "" if look.policy.adopt else _in_other_hands(look, endpoint)
    if reason:
        return look.stay(f"{reason}, or set `adopt: true`", flags=frozenset({Flag.HELD}), after=look.pace * 5)
    return None


def create_or_mend(endpoint: str) -> str:
    """What to do about an endpoint that is not there; one of a wildcard may have a name that no endpoint can have."""
    if valid_endpoint(endpoint):
        return "create it, or mend `endpoint` of the target"
    return f"none can have that name ({ENDPOINT_RULE}): give its model a policy with an `endpoint` of its own"


def _not_its_turn(look: Look) -> Decision | None:
    """The target before this one comes first. It may bake for days, so the clock of the start begins after it."""
    if look.seen.earlier_failed is not None:
        return go_back(look, look.seen.earlier_failed, Phase.FAILED)
    if look.seen.earlier_target is None:
        return None
    waiting = replace(look, record=replace(look.record, entered=look.now))
    queued = frozenset({Flag.QUEUED_FOR_TARGET})
    return waiting.stay(look.stopped, look.seen.earlier_target, flags=queued, after=look.pace * 2)


def _in_other_hands(look: Look, endpoint: EndpointSeen) -> str:
    """Why the endpoint's split is none that a rollout may start from, or nothing."""
    if not sole_live(endpoint)[0]:
        return (
            f"the endpoint is in other hands: live {split_words(endpoint.traffic)}, mirror"
            f" {split_words(endpoint.mirror)};"
            " give one deployment all live traffic and end the mirror"
        )
    ours = {look.record.candidate, *(leftover.deployment for leftover in look.record.leftovers)}
    idle = sorted(one.name for one in endpoint.deployments.values() if one.healthy and one.name not in ours)
    if not endpoint.traffic and idle:
        return f"no deployment has live traffic, though {', '.join(idle)} could serve: give one all of it"
    return ""


def _delete(look: Look, why: str) -> Decision:
    """Delete the candidate's failed deployment, its log saved, unless somebody gave it traffic."""
    endpoint, name = look.seen.endpoint, look.record.candidate
    if endpoint is not None and (endpoint.traffic.get(name) or endpoint.mirror.get(name)):
        return look.stay(f"deployment {name} has failed and has traffic: take it off", flags=frozenset({Flag.HELD}))
    noted = replace(look, record=look.record.noted(look.now, "decision", why))
    return Decision(noted.stay(why).record, (SaveLogs(name), DeleteDeployment(name)))


def _largest(endpoint: EndpointSeen, candidate: str) -> str | None:
    """The deployment with the largest live share, a healthy one if there is any; never the candidate."""
    shares = sorted(endpoint.traffic.items(), key=lambda item: -item[1])
    others = [name for name, share in shares if share and name != candidate]
    healthy = [n for n in others if n in endpoint.deployments and endpoint.deployments[n].healthy]
    return next(iter(healthy or others), None)
