"""The last phase: the deployments that are retired are deleted, but for the newest `keep`; then the rollout is done.

Those that stay keep their instances: who writes `keep` pays for a way back that is one traffic write at full size.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from policy.durations import lasting
from policy.model import Retire
from rollout.decision import Decision, DeleteDeployment
from rollout.ending import finish
from rollout.endpoint import EndpointSeen
from rollout.forgotten import FORGOTTEN_WITHIN, unless_forgotten, unless_lost
from rollout.look import Enter, Look
from rollout.retired import parted, with_leftovers

DELETED_WITHIN = timedelta(days=2)
"""How long a rollout waits for its deletions once asked for: a lock on the resource may forbid them for ever."""
RETIRING_PACES = 10
"""While only the old deployment is waited for, looks come at so many paces; alerts are looked at at once as ever."""

_ASKED = "asked to delete deployment {}"


def retiring(look: Look) -> Decision | Enter:
    """Delete the old deployment when its time has come; done when it is gone, or when it is one of those that stay."""
    step, old, endpoint = look.policy.steps[look.record.step], look.record.live, look.seen.endpoint
    after = step.after if isinstance(step, Retire) else timedelta()
    if endpoint is None:
        return unless_lost(look, after, look.stay("the endpoint could not be read"))
    stay, doomed = parted(look, endpoint)
    gone = old is None or old not in endpoint.deployments
    if gone and not doomed:
        return _finished(look, stay, "the old deployment is gone")
    ready = look.toward_split()
    if isinstance(ready, Decision):
        return unless_lost(look, after, ready)
    if ready.stopped:
        return unless_forgotten(ready, after)
    left = after - ready.entered_ago
    if left > timedelta() and not ready.record.passed and not gone:
        reason = f"deployment {old} is kept for {lasting(left)} more"
        return ready.stay(reason, after=min(left, ready.pace * RETIRING_PACES))
    if not doomed:
        return _finished(ready, stay, f"deployment {old} stays up, as `keep` says")
    refused = ready.now - _first_asked(ready, doomed) > DELETED_WITHIN
    if refused or ready.overdue(after + FORGOTTEN_WITHIN + DELETED_WITHIN):
        return _left(ready, stay, doomed)
    return _deleting(ready, endpoint, doomed[0])


def _deleting(look: Look, endpoint: EndpointSeen, name: str) -> Decision:
    if endpoint.deployments[name].state == "Deleting":
        return look.stay(f"deployment {name} is being deleted")
    if look.candidate is None or look.candidate.state != "Succeeded":
        # It serves while it is updated or scaled, but whether it comes out of that well is not known yet.
        return look.stay(f"deployment {look.record.candidate} is under way: {name} stays until it is settled")
    if endpoint.busy:
        # What runs may be a write that gives the old deployment traffic.
        return look.stay("another operation is running on the endpoint")
    record = look.record.noted(look.now, "write", _ASKED.format(name))
    staying = replace(look, record=record).stay(f"deleting deployment {name}")
    return Decision(staying.record, (DeleteDeployment(name),))


def _first_asked(look: Look, names: list[str]) -> datetime:
    """When the first of these deletions was asked for; now, when none was: a pause before it is no refusal."""
    lines = {_ASKED.format(name) for name in names}
    return next((entry.at for entry in look.record.entries if entry.text in lines), look.now)


def _left(look: Look, stay: tuple[str, ...], doomed: list[str]) -> Decision:
    """Done without the deletions, which are tried on after it: a newer version does not wait for them."""
    record = replace(look.record, leftovers=with_leftovers(look, doomed, look.now), kept=stay)
    causes = "; ".join(look.record.reasons[1:])
    why = f"{', '.join(doomed)} could not be deleted for {lasting(DELETED_WITHIN)}: {causes}"
    return finish(replace(look, record=record), why.rstrip(": "))


def _finished(look: Look, stay: tuple[str, ...], why: str) -> Decision:
    retired = look.record.live not in stay
    return finish(replace(look, record=replace(look.record, retired=retired, kept=stay)), why)
