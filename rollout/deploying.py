"""The first phase: wait until the endpoint is as expected, create the candidate, wait until it serves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from rollout.decision import CreateDeployment, Decision, DeleteDeployment
from rollout.look import Enter, Look
from rollout.observation import EndpointSeen
from rollout.phases import Flag, Phase
from rollout.rollback import go_back
from rollout.traffic import sole_live

START_WITHIN = timedelta(hours=24)
"""How long a rollout waits for its endpoint to be as expected before it fails."""
DEPLOY_WITHIN = timedelta(hours=1)
"""Azure has been seen to sit in Creating for 45 minutes before it says that a container failed."""
REFUSED_AGAIN = timedelta(minutes=5)
"""Time between two tries of what Azure refused for lack of quota."""


def deploying(look: Look) -> Decision | Enter:
    """Wait until the endpoint is as expected, create the candidate, wait until it serves."""
    endpoint = look.seen.endpoint
    if endpoint is None or look.candidate is None:
        return _create(look)
    candidate = look.candidate
    if candidate.state in ("Failed", "Canceled") and look.record.since is None:
        # Left by an earlier try: Azure cannot update it, so it is deleted and made anew.
        return Decision(
            look.stay(f"deleting the failed deployment {candidate.name} of an earlier try").record,
            (DeleteDeployment(candidate.name),),
        )
    if candidate.state == "Failed":
        return go_back(look, f"deployment failed: {candidate.failure or 'Azure gives no reason'}", Phase.FAILED)
    if candidate.state == "Canceled" or candidate.state == "Deleting":
        return Decision(
            look.stay(f"Azure canceled the deployment of {candidate.name}; it is made again").record,
            (DeleteDeployment(candidate.name),) if candidate.state == "Canceled" else (),
        )
    if candidate.state == "Succeeded":
        if look.stopped:
            return look.stay(look.stopped)
        return Enter(look, 0, f"deployment {candidate.name} is up")
    if look.record.since is None:
        look = replace(look, record=replace(look.record, since=look.now))
    if look.lasted > DEPLOY_WITHIN:
        return go_back(look, f"deployment {candidate.name} was not up within {DEPLOY_WITHIN}", Phase.FAILED)
    return look.stay(f"deployment {candidate.name} is {candidate.state}")


def _create(look: Look) -> Decision:
    """Create the candidate, unless the endpoint is not as expected; then say what was seen and wait."""
    if look.entered_ago > START_WITHIN:
        why = "; ".join(look.record.reasons) or "it could not start"
        return go_back(look, f"not started within {START_WITHIN}: {why}", Phase.FAILED)
    if look.record.refused and "quota" not in look.record.refused.lower():
        return go_back(look, f"Azure refused the deployment: {look.record.refused}", Phase.FAILED)
    if look.record.refused:
        cleared = replace(look, record=replace(look.record, refused=""))
        reason = f"no quota: {look.record.refused}"
        return cleared.stay(reason, flags=frozenset({Flag.HELD}), after=max(REFUSED_AGAIN, look.pace))
    endpoint = look.seen.endpoint
    if endpoint is None:
        reason = f"endpoint {look.record.endpoint} does not exist; create it, or mend `endpoint` of the target"
        return look.stay(reason, flags=frozenset({Flag.HELD}), after=look.pace * 5)
    if look.stopped:
        return look.stay(look.stopped)
    if look.seen.earlier_target is not None:
        return look.stay(look.seen.earlier_target, flags=frozenset({Flag.QUEUED_FOR_TARGET}), after=look.pace * 2)
    if endpoint.busy:
        return look.stay(f"the endpoint is {endpoint.state}")
    usable, live = sole_live(endpoint)
    if not usable:
        if not look.policy.adopt:
            reason = (
                f"the endpoint is in other hands: live {dict(endpoint.traffic)}, mirror {dict(endpoint.mirror)};"
                " give one deployment all live traffic and end the mirror, or set `adopt: true`"
            )
            return look.stay(reason, flags=frozenset({Flag.HELD}), after=look.pace * 5)
        live = _largest_healthy(endpoint)
    record = replace(look.record, live=live, since=look.now)
    if look.record.since is None:
        record = record.noted(look.now, "write", f"asked for deployment {record.candidate}")
    staying = replace(look, record=record).stay(f"creating deployment {record.candidate}").record
    return Decision(staying, (CreateDeployment(record.candidate, record.model_id, live),))


def _largest_healthy(endpoint: EndpointSeen) -> str | None:
    shares = sorted(endpoint.traffic.items(), key=lambda item: -item[1])
    return next((n for n, _ in shares if n in endpoint.deployments and endpoint.deployments[n].healthy), None)
