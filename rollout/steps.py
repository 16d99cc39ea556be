"""One function for each phase: what it waits for, and what comes next.

Each takes a `Look` whose inbox was taken in and in which no harm was seen, and answers a `Decision`, or `Enter` when
its step is over: the next step is entered in the same look, so that its write does not wait for another one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Literal, TypeVar

from policy.durations import lasting
from policy.model import Approval, Canary, Check, Full, Retire, Shadow, Step, Wait
from rollout.applying import applies, cannot_be_shared
from rollout.deadlines import unless_overdue
from rollout.decision import Decision
from rollout.deploying import START_WITHIN
from rollout.ending import finish
from rollout.forgotten import unless_forgotten, unless_lost
from rollout.hooks import with_leave
from rollout.load import with_load
from rollout.look import Enter, Look
from rollout.observing import starting
from rollout.phases import PHASE_OF_STEP, Flag, Phase
from rollout.retiring import DELETED_WITHIN, retiring
from rollout.rollback import go_back
from rollout.verdict import Outcome

S = TypeVar("S", Approval, Wait, Full, Retire, Check)


SMOKE_WITHIN = timedelta(minutes=15)
BLIND_WITHIN = timedelta(hours=24)
"""How long a bake waits for evidence: without any the traffic goes back, with too little the rollout goes on."""


def forward(look: Look) -> Decision:
    """The function of the record's phase, and of each phase that is entered in this very look."""
    promote = next((c for c in look.seen.commands if c.action == "promote"), None)
    failed = look.seen.smoke is not None and not look.seen.smoke.passed
    answer: Decision | Enter
    if promote is not None and look.frozen:
        text = "not promoted while frozen: end the freeze and ask again"
        promote, look = None, replace(look, record=look.record.noted(look.now, "decision", text))
    if promote is not None and look.record.phase in BEFORE_FULL and not failed:
        answer = Enter(look, _full_index(look), f"promoted by {promote.who}: {promote.reason}")
    else:
        answer = FORWARD[look.record.phase](look)
    while isinstance(answer, Enter):
        entered = _entered(answer)
        answer = entered if isinstance(entered, Decision) else FORWARD[entered.record.phase](entered)
    return _unpromoted(look, answer) if promote is not None and answer.record.wants is not None else answer


def testing(look: Look) -> Decision | Enter:
    """Smoke requests straight to the candidate, before it sees any traffic."""
    smoke = look.seen.smoke
    if smoke is not None and not smoke.passed:
        # Harm was seen: nobody's word passes it.
        return go_back(look, f"smoke test: {smoke.text}", Phase.FAILED)
    if look.record.passed or smoke is not None:
        if look.stopped:
            return unless_overdue(look, look.stay(look.stopped), START_WITHIN)
        return Enter(look, look.record.step + 1, smoke.text if smoke else "passed by an alert or a person")
    # The job of a batch target has its own time (sample.py); this is for one that cannot even be started.
    within = SMOKE_WITHIN + (look.policy.deployment.batch.sample_within if look.record.batch else timedelta())
    if look.overdue(within):
        why = "; ".join((f"no smoke test could be made within {lasting(within)}", *look.seen.trouble))
        return go_back(look, why, Phase.FAILED)
    return look.stay("testing", *look.seen.trouble)


def judged(look: Look) -> Decision | Enter:
    """Shadow, canary and check: the split is read back, then time and evidence are waited for."""
    at_least, at_most, then = _times(look)
    ready = look.toward_split()
    if isinstance(ready, Decision):
        return unless_overdue(look, ready, at_most, then)
    safe = ready.verdict is not None and ready.verdict.outcome is Outcome.SAFE
    if ready.record.passed or (safe and ready.lasted >= at_least):
        if ready.stopped:
            return unless_overdue(ready, ready.stay(ready.stopped), at_most, then)
        why = "; ".join(ready.verdict.reasons) if safe and ready.verdict else "passed by an alert or a person"
        return Enter(ready, ready.record.step + 1, why)
    return unless_overdue(ready, with_load(ready, ready.stay(*_waiting_for(ready, at_least))), at_most, then)


def _waiting_for(look: Look, at_least: timedelta) -> tuple[str, ...]:
    unknown: tuple[str, ...] = ()
    if look.verdict is None:
        unknown = ("no evidence read yet", *look.seen.trouble)
    elif look.verdict.outcome is Outcome.UNKNOWN:
        unknown = look.verdict.reasons
    left = at_least - look.lasted
    time_left = (f"at least {lasting(left)} more",) if left > timedelta() else ()
    return (look.stopped, *unknown, *time_left)


def awaiting_approval(look: Look) -> Decision | Enter:
    """A person approves, or the deadline does what the step says. What was approved waits for what stops it."""
    step = _step(look, Approval)
    approved = look.record.passed
    if approved and not look.stopped:
        return Enter(look, look.record.step + 1, "approved")
    if look.entered_ago > step.at_most and step.then == "rollback" and not approved:
        return go_back(look, f"nobody approved within {lasting(step.at_most)}", Phase.ROLLED_BACK)
    ready = look.toward_split()
    if isinstance(ready, Decision):
        return unless_overdue(look, ready, step.at_most)
    left = max(step.at_most - look.entered_ago, timedelta())
    waits = "approved" if approved else f"waiting for approval, {lasting(left)} left"
    return unless_overdue(ready, ready.stay(ready.stopped, waits), step.at_most)


def waiting(look: Look) -> Decision | Enter:
    """Let time pass with the split of the step before."""
    step = _step(look, Wait)
    at_most = step.at_least + BLIND_WITHIN
    ready = look.toward_split()
    if isinstance(ready, Decision):
        return unless_overdue(look, ready, at_most)
    if (ready.record.passed or ready.lasted >= step.at_least) and not ready.stopped:
        return Enter(ready, ready.record.step + 1, f"waited {lasting(ready.lasted)}")
    left = max(step.at_least - ready.lasted, timedelta())
    return unless_overdue(ready, ready.stay(ready.stopped, f"waiting, {lasting(left)} left"), at_most)


def full(look: Look) -> Decision | Enter:
    """All live traffic on the candidate; the bake ends on evidence that it is safe.

    Too few requests for a verdict lengthen it once by its own length. A day without any evidence goes back.
    """
    step = _step(look, Full)
    ready = look.toward_split()
    if isinstance(ready, Decision):
        asked = look.record.since is None
        return unless_overdue(look, ready, step.bake + BLIND_WITHIN) if asked else unless_lost(look, step.bake, ready)
    over = ready.lasted - step.bake
    baked = "passed by an alert or a person" if ready.record.passed else _baked(ready, over, step.bake)
    if baked:
        return unless_forgotten(ready, step.bake) if ready.stopped else Enter(ready, ready.record.step + 1, baked)
    if over > BLIND_WITHIN and ready.blind > BLIND_WITHIN:
        why = f"no evidence could be read for {lasting(BLIND_WITHIN)} after the bake"
        return go_back(ready, why, Phase.ROLLED_BACK)
    if over < timedelta():
        return ready.stay(ready.stopped, f"baking, {lasting(-over)} left", *ready.seen.trouble)
    missing = ready.verdict.reasons if ready.verdict is not None else ("no evidence read yet", *ready.seen.trouble)
    return ready.stay(ready.stopped, "the bake goes on until there is evidence", *missing)


def _baked(look: Look, over: timedelta, bake: timedelta) -> str:
    """Why the bake is over, or nothing while it is not; `over` is how long it has lasted beyond `bake`."""
    if over < timedelta():
        return ""
    if look.record.live is None or look.record.kind == "rollback":
        # Nothing to be compared with: a first version has nothing beside it, a slow way back what was found bad.
        return "the bake is over"
    if look.verdict is None:
        return ""
    found = "; ".join(look.verdict.reasons)
    if look.verdict.outcome is Outcome.SAFE:
        return f"the bake is over: {found}"
    gates = look.policy.gates.counting
    if over >= bake or (gates.error_rate is None and gates.latency_p95 is None and not gates.queries):
        # Waiting longer would show no more: there was no harm, and going on takes nothing from anybody.
        return f"the bake is over without a verdict: {found}"
    return ""


def _entered(enter: Enter) -> Decision | Look:
    """The look at the step that is entered, with nothing seen of it yet; past the last step, the end."""
    look, index, steps = enter.look, enter.index, enter.look.policy.steps
    while index < len(steps) and not applies(look.record, steps[index]):
        look, index = _left_out(look, steps[index]), index + 1
    if index >= len(steps):
        return finish(look, enter.why)
    look = with_leave(look, index, steps[index].kind, steps[index].named, enter.why)
    if look.hooked:
        return _held(look)
    record = replace(
        look.record,
        phase=PHASE_OF_STEP[steps[index].kind],
        step=index,
        entered=look.now,
        since=None,
        passed=False,
        restored=0,
        evidence=(),
        evidence_at=None,
        short=None,
        load_at=None,
        flags=look.record.flags & {Flag.PAUSED},
    )
    record = record.noted(look.now, "decision", f"{steps[index].named}: {enter.why}")
    seen = replace(look.seen, evidence=None, smoke=None, commands=(), trouble=())
    return replace(look, record=record, seen=seen, verdict=None)


def _unpromoted(look: Look, decision: Decision) -> Decision:
    """The decision, with a line for a promotion that leave was missing for: it is not remembered."""
    text = "not promoted without leave: ask again when it is given"
    return replace(decision, record=decision.record.noted(look.now, "decision", text))


def _held(look: Look) -> Decision:
    """The present phase without the leave to end it: it waits, and its deadline does what it says.

    A bake has none, for a version that proved safe is not taken back; it is done without its old deployment's end.
    """
    step = look.policy.steps[look.record.step] if look.record.step >= 0 else None
    if isinstance(step, Full):
        if look.seen.hooks and look.overdue(step.bake + DELETED_WITHIN):
            unasked = replace(look, record=replace(look.record, wants=None))
            return finish(unasked, f"{look.hooked}; deployment {look.record.live} stays up")
        return look.stay(look.hooked)
    staying = FORWARD[look.record.phase](look)
    return staying if isinstance(staying, Decision) else look.stay(look.stopped)


def _left_out(look: Look, step: Step) -> Look:
    """The look, with a line for a step that a batch endpoint cannot take."""
    if not cannot_be_shared(look.record, step):
        return look
    text = f"{step.named} is left out: a batch endpoint has no traffic to share"
    return replace(look, record=look.record.noted(look.now, "decision", text))


def _step(look: Look, kind: type[S]) -> S:
    step = look.policy.steps[look.record.step]
    if not isinstance(step, kind):
        raise TypeError(f"phase {look.record.phase} stands at a step of kind {step.kind}")
    return step


def _times(look: Look) -> tuple[timedelta, timedelta, Literal["hold", "rollback"]]:
    step = look.policy.steps[look.record.step]
    if isinstance(step, Shadow | Canary):
        return step.at_least, step.at_most, step.then
    check = _step(look, Check)
    return timedelta(), check.at_most, check.then


def _full_index(look: Look) -> int:
    return next(i for i, step in enumerate(look.policy.steps) if isinstance(step, Full))


BEFORE_FULL = (
    Phase.TESTING,
    Phase.SHADOW,
    Phase.CANARY,
    Phase.AWAITING_APPROVAL,
    Phase.WAITING,
    Phase.CHECKING,
)

FORWARD: dict[Phase, Callable[[Look], Decision | Enter]] = {
    Phase.DEPLOYING: starting,
    Phase.TESTING: testing,
    Phase.SHADOW: judged,
    Phase.CANARY: judged,
    Phase.CHECKING: judged,
    Phase.AWAITING_APPROVAL: awaiting_approval,
    Phase.WAITING: waiting,
    Phase.FULL: full,
    Phase.RETIRING: retiring,
}
