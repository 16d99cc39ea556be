"""Going back: in the look that sees the harm, and again in every look until it is read back.

"Back" is what is healthy now. A write toward the candidate that is still under way counts as traffic on it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from policy.durations import lasting
from rollout.capacity import shrunk
from rollout.decision import Decision
from rollout.ending import finish, over
from rollout.look import Look
from rollout.phases import Flag, Phase
from rollout.record import Leftover, Record, Wish
from rollout.traffic import back, is_split, nowhere_back

STUCK_WITHIN = timedelta(hours=24)
"""How long a rollout that can go nowhere waits for something healthy to go back to, before it ends where it stands."""


def go_back(look: Look, cause: str, outcome: Phase) -> Decision:
    """Begin to go back, and ask for it in this very look; where there is nothing to go back to, the traffic stays."""
    endpoint, deploying = look.seen.endpoint, look.record.phase is Phase.DEPLOYING
    if endpoint is not None and not deploying and nowhere_back(look.record, endpoint):
        return _stand(look, cause)
    record = replace(
        look.record,
        phase=Phase.ROLLING_BACK,
        entered=look.now,
        since=None,
        outcome=outcome,
        harm_seen=look.now,
        wants=None,
        blocked_since=None,
        blocked_seconds=0.0,
        reasons=(cause,),
        flags=frozenset(),
    ).noted(look.now, "decision", f"going back: {cause}")
    look = replace(look, record=record, frozen="")
    # While deploying the traffic was never ours: whatever it is now, it is not touched.
    return _gone_back(look) if deploying else rolling_back(look)


def rolling_back(look: Look) -> Decision:
    """Take the candidate out of the traffic, and repeat it until it is read back; then the rollout is over.

    Where nothing else is healthy the traffic stays: an endpoint without a healthy deployment behind it helps nobody.
    """
    look = replace(look, record=_block_counted(look))
    endpoint, cause = look.seen.endpoint, look.record.reasons[:1]
    stuck = look.entered_ago > STUCK_WITHIN
    if endpoint is None:
        if stuck:
            return over(look, Phase.FAILED, (*cause, f"no endpoint to go back on for {lasting(STUCK_WITHIN)}"))
        return look.stay(*cause, "the endpoint could not be read")
    traffic, to = dict(endpoint.traffic), None
    if traffic.get(look.record.candidate):
        to = back(look.record, endpoint)
        if to is None and stuck:
            return over(look, Phase.FAILED, (*cause, f"nothing healthy to go back to for {lasting(STUCK_WITHIN)}"))
        if to is None:
            reason = "no healthy deployment to go back to: the traffic stays until there is one"
            return look.stay(*cause, reason, flags=frozenset({Flag.HELD}))
        traffic = {to: 100}
    elif endpoint.busy and look.record.asked is not None and look.record.asked[0].get(look.record.candidate):
        # A write toward the candidate is still under way and will land after this look: ask for the way back now.
        to = back(look.record, endpoint)
        traffic = {to: 100} if to else traffic
    ours = look.record.asked is not None
    # A mirror or an operation that is not ours is left alone.
    mirror = {} if ours else {n: s for n, s in endpoint.mirror.items() if n not in (to, look.record.candidate)}
    if is_split(endpoint, traffic, mirror) and not (endpoint.busy and ours):
        return _gone_back(look)
    decision = look.write_split(traffic, mirror, why=look.record.reasons[0] if look.record.reasons else "", urgent=True)
    asked = decision.record.back_asked or look.now
    return Decision(replace(decision.record, back_asked=asked, blocked_since=look.now), decision.actions)


def _block_counted(look: Look) -> Record:
    """The record with the time since the last write counted as blocked, if Azure did not take that write.

    A write that was taken shows its busy endpoint too, so busy alone tells nothing. What was not taken is told behind
    the cause (`reconcile` adds it to the reasons); a refusal for good is nobody's other operation.
    """
    record, since = look.record, look.record.blocked_since
    if since is None:
        return record
    taken = len(record.reasons) <= 1 or bool(record.refused)
    seconds = 0.0 if taken else (look.now - since).total_seconds()
    return replace(record, blocked_since=None, blocked_seconds=record.blocked_seconds + seconds)


def _gone_back(look: Look) -> Decision:
    seconds = (look.now - (look.record.harm_seen or look.now)).total_seconds()
    live = ", ".join(sorted(look.seen.endpoint.traffic)) if look.seen.endpoint else ""
    text = "no traffic had to be moved"
    if look.record.back_asked is not None:
        text = f"all live traffic is on {live or 'no deployment'}, {seconds:.1f} s after this was known"
        if look.record.blocked_seconds:
            text += f", {look.record.blocked_seconds:.1f} s of it blocked by Azure"
    shrank = shrunk(look.record, look.seen.endpoint) if look.seen.endpoint else ""
    reasons = (*look.record.reasons[:1], text, *((shrank,) if shrank else ()))
    leftovers = look.record.leftovers
    if look.record.candidate not in {o.deployment for o in leftovers}:
        leftovers = (*leftovers, Leftover(look.record.candidate, look.now + look.policy.failed.keep))
    return over(replace(look, record=replace(look.record, leftovers=leftovers)), look.record.outcome, reasons)


def superseded_in_service(look: Look, cause: str, newer: str) -> Decision:
    """End where it stands, so that the newer version, which may be the cure, can begin."""
    return over(look, Phase.SUPERSEDED, (f"version {newer} was registered", cause))


def _stand(look: Look, cause: str) -> Decision:
    """Stay with the harm in view: a person, or a newer version, has to mend it."""
    full = look.record.kind == "rollout" and look.record.phase in (Phase.FULL, Phase.RETIRING)
    if full and look.record.live is not None and look.record.earlier:
        # It has all of the traffic and is over; the way back is then the slow one.
        gone = replace(look.record, retired=True, wish=Wish(cause, look.now))
        return finish(replace(look, record=gone), "the old deployment is gone")
    if look.entered_ago > STUCK_WITHIN:
        return over(look, Phase.FAILED, (cause, f"there was nothing to go back to for {lasting(STUCK_WITHIN)}"))
    noted = replace(look, record=look.record.noted(look.now, "trouble", f"nothing to go back to: {cause}"))
    first = "this is the first version: " if look.record.live is None else ""
    return noted.stay(cause, f"{first}there is nothing to go back to")
