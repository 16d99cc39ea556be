"""The last phase: the deployments that are retired are deleted, but for the newest `keep`; then the rollout is done.

Those that stay keep their instances: who writes `keep` pays for a way back that is one traffic write at full size.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from policy.model import Retire
from rollout.decision import Decision, DeleteDeployment
from rollout.endpoint import EndpointSeen
from rollout.look import Enter, Look
from rollout.phases import Phase
from rollout.record import Leftover

DELETED_WITHIN = timedelta(days=2)
"""How long a rollout waits for its deletions once they are due: a lock on the resource may forbid them for ever."""
RETIRING_PACES = 10
"""While only the old deployment is waited for, looks come at so many paces; alerts are looked at at once as ever."""


def retiring(look: Look) -> Decision | Enter:
    """Delete the old deployment when its time has come; done when it is gone, or when it is one of those that stay."""
    step, old, endpoint = look.policy.steps[look.record.step], look.record.live, look.seen.endpoint
    if endpoint is None:
        return look.stay("the endpoint could not be read")
    stay, doomed = _sorted(look, endpoint)
    gone = old is None or old not in endpoint.deployments
    if gone and not doomed:
        return _finished(look, stay, "the old deployment is gone")
    ready = look.toward_split()
    if isinstance(ready, Decision):
        return ready
    if ready.stopped:
        return ready.stay(ready.stopped)
    left = step.after - ready.entered_ago if isinstance(step, Retire) else timedelta()
    if left > timedelta() and not ready.record.passed and not gone:
        reason = f"deployment {old} is kept for {left.total_seconds():.0f} s more"
        return ready.stay(reason, after=min(left, ready.pace * RETIRING_PACES))
    if not doomed:
        return _finished(ready, stay, f"deployment {old} stays up, as `keep` says")
    after = step.after if isinstance(step, Retire) else timedelta()
    if ready.overdue(after + DELETED_WITHIN):
        return _left(ready, stay, doomed)
    return _deleting(ready, endpoint, doomed[0])


def _sorted(look: Look, endpoint: EndpointSeen) -> tuple[tuple[str, ...], list[str]]:
    """The retired deployments, newest first: those that stay, and those of the others that are still there."""
    record = look.record
    in_use = {record.candidate, *endpoint.traffic, *endpoint.mirror}
    retired = [name for name in dict.fromkeys((record.live, *record.kept)) if name]
    there = [name for name in retired if name in endpoint.deployments and (name == record.live or name not in in_use)]
    healthy = [name for name in there if endpoint.deployments[name].healthy]
    stay = tuple(healthy[: look.policy.keep])
    return stay, [name for name in there if name not in stay]


def _deleting(look: Look, endpoint: EndpointSeen, name: str) -> Decision:
    if endpoint.deployments[name].state == "Deleting":
        return look.stay(f"deployment {name} is being deleted")
    if look.candidate is None or look.candidate.state != "Succeeded":
        # It serves while it is updated or scaled, but whether it comes out of that well is not known yet.
        return look.stay(f"deployment {look.record.candidate} is under way: {name} stays until it is settled")
    if endpoint.busy:
        # What runs may be a write that gives the old deployment traffic.
        return look.stay("another operation is running on the endpoint")
    record = look.record.noted(look.now, "write", f"asked to delete deployment {name}")
    staying = replace(look, record=record).stay(f"deleting deployment {name}")
    return Decision(staying.record, (DeleteDeployment(name),))


def _left(look: Look, stay: tuple[str, ...], doomed: list[str]) -> Decision:
    """Done without the deletions, which are tried on after it: a newer version does not wait for them."""
    known = {one.deployment for one in look.record.leftovers}
    left = tuple(Leftover(name, look.now) for name in doomed if name not in known)
    record = replace(look.record, leftovers=(*look.record.leftovers, *left), kept=stay)
    why = f"{', '.join(doomed)} could not be deleted for {DELETED_WITHIN}: {'; '.join(look.record.reasons[1:])}"
    return finish(replace(look, record=record), why.rstrip(": "))


def _finished(look: Look, stay: tuple[str, ...], why: str) -> Decision:
    retired = look.record.live not in stay
    return finish(replace(look, record=replace(look.record, retired=retired, kept=stay)), why)


def finish(look: Look, why: str) -> Decision:
    """The rollout is done; after a slow way back, what it came from is deleted like a candidate that failed."""
    record, leftovers = look.record, look.record.leftovers
    reasons: tuple[str, ...] = (f"version {record.version} has all live traffic",)
    if record.kind == "rollback" and record.harm_seen is not None:
        reasons = (*reasons, f"{(look.now - record.harm_seen).total_seconds():.0f} s after it was asked for")
        if record.live and record.live not in {one.deployment for one in leftovers}:
            leftovers = (*leftovers, Leftover(record.live, look.now + look.policy.failed.keep))
    record = replace(
        record,
        phase=Phase.DONE,
        entered=look.now,
        flags=frozenset(),
        holds=frozenset(),
        reasons=reasons,
        leftovers=leftovers,
        list_versions=True,
        next_look=look.now,
    )
    return Decision(record.noted(look.now, "decision", f"done: {why}"))
