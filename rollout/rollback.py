"""Going back: in the look that sees the harm, and again in every look until it is read back.

"Back" is what is healthy now. A write toward the candidate that is still under way counts as traffic on it.
"""

from __future__ import annotations

from dataclasses import replace

from rollout.decision import Decision
from rollout.look import Look
from rollout.phases import Flag, Phase
from rollout.record import Leftover
from rollout.traffic import back, is_split


def go_back(look: Look, cause: str, outcome: Phase) -> Decision:
    """Begin to go back, and ask for it in this very look. A first version in service has nothing to go back to."""
    endpoint = look.seen.endpoint
    if look.record.live is None and endpoint is not None and endpoint.traffic.get(look.record.candidate):
        noted = replace(look, record=look.record.noted(look.now, "trouble", f"nothing to go back to: {cause}"))
        return noted.stay(cause, "this is the first version: there is nothing to go back to")
    record = replace(
        look.record,
        phase=Phase.ROLLING_BACK,
        entered=look.now,
        since=None,
        outcome=outcome,
        harm_seen=look.now,
        reasons=(cause,),
        flags=frozenset(),
    ).noted(look.now, "decision", f"going back: {cause}")
    return rolling_back(replace(look, record=record))


def rolling_back(look: Look) -> Decision:
    """Take the candidate out of the traffic, and repeat it until it is read back; then the rollout is over.

    Where nothing else is healthy the traffic stays: an endpoint without a healthy deployment behind it helps nobody.
    """
    endpoint = look.seen.endpoint
    if endpoint is None:
        return look.stay(*look.record.reasons[:1], "the endpoint could not be read")
    traffic, to = dict(endpoint.traffic), None
    if traffic.get(look.record.candidate):
        to = back(look.record, endpoint)
        if to is None:
            reason = "no healthy deployment to go back to: the traffic stays until there is one"
            return look.stay(*look.record.reasons[:1], reason, flags=frozenset({Flag.HELD}))
        traffic = {to: 100}
    elif endpoint.busy and look.record.asked is not None and look.record.asked[0].get(look.record.candidate):
        # A write toward the candidate is still under way and will land after this look: ask for the way back now.
        to = back(look.record, endpoint)
        traffic = {to: 100} if to else traffic
    if is_split(endpoint, traffic, {}) and not endpoint.busy:
        return _gone_back(look)
    decision = look.write_split(traffic, {}, why=look.record.reasons[0] if look.record.reasons else "", urgent=True)
    record = replace(decision.record, back_asked=decision.record.back_asked or look.now)
    return Decision(record, decision.actions)


def _gone_back(look: Look) -> Decision:
    seconds = (look.now - (look.record.harm_seen or look.now)).total_seconds()
    live = ", ".join(sorted(look.seen.endpoint.traffic)) if look.seen.endpoint else ""
    text = "no traffic had to be moved"
    if look.record.back_asked is not None:
        text = f"all live traffic is on {live or 'no deployment'}, {seconds:.1f} s after harm was seen"
    reasons = (*look.record.reasons[:1], text)
    leftovers = look.record.leftovers
    if look.record.candidate not in {o.deployment for o in leftovers}:
        leftovers = (*leftovers, Leftover(look.record.candidate, look.now + look.policy.failed.keep))
    record = replace(
        look.record,
        phase=look.record.outcome,
        entered=look.now,
        reasons=reasons,
        leftovers=leftovers,
        flags=frozenset(),
        holds=frozenset(),
        list_versions=True,
        next_look=look.now,
    )
    return Decision(record.noted(look.now, "decision", f"{record.phase.value}: {'; '.join(reasons)}"))
