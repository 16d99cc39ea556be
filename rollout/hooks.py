"""Leave: hooks of the policy are asked before a step is entered; without their leave the rollout stays. Pure.

A decision that would enter such a step without an answer stays, and its record tells what it `wants`. Then the hooks
are asked (`rollout.asking`) and it is decided again with what they said, in the same look: harm is known before anybody
is asked. An answer is good for one look and one step; while leave is not given it is asked for at each look.
Going back asks nobody, and neither does the slow way back.
"""

from __future__ import annotations

from dataclasses import replace

from rollout.decision import Decision
from rollout.look import Look
from rollout.observation import HookAnswer
from rollout.phases import TERMINAL, Flag, Phase
from rollout.record import TROUBLE, Record, Wants

START = -1
"""The moment before the deployment is made, where others are the index of a step."""


def asks(record: Record) -> bool:
    """Whether the decision stays for want of answers that can be asked for."""
    return record.wants is not None and record.phase not in (*TERMINAL, Phase.ROLLING_BACK)


def with_leave(look: Look, step: int, kind: str, to: str, why: str) -> Look:
    """The look before the `step` is entered: its `hooked` says whose leave is missing, or is empty."""
    asked = [hook.name for hook in look.policy.hooks if kind in hook.before]
    if not asked or look.record.kind != "rollout":
        return look
    answers = {answer.hook: answer for answer in look.seen.hooks if answer.step == step}
    record = look.record
    missing = [_missing(name, answers.get(name), to) for name in asked if not _given(answers.get(name))]
    if missing:
        for name in (name for name in asked if name in answers):
            if not answers[name].leave:
                record = record.noted(look.now, TROUBLE, _missing(name, answers[name], to))
        wants = Wants(step, tuple(asked), to, why)
        return replace(look, record=replace(record, wants=wants), hooked="; ".join(missing))
    for name in asked:
        record = record.noted(look.now, "decision", f"{name} gives leave for {to}: {answers[name].text}")
    return replace(look, record=record)


def _given(answer: HookAnswer | None) -> bool:
    return answer is not None and answer.leave


def _missing(name: str, answer: HookAnswer | None, to: str) -> str:
    if answer is None:
        return f"{to} waits for the leave of {name}"
    return f"{name} gives no leave for {to}: {answer.text}"


def before_start(look: Look) -> Decision | Look:
    """What is done before the deployment is made for the first time: nothing while leave is missing."""
    if look.record.since is not None:
        return look
    look = with_leave(look, START, "start", "the start", f"version {look.record.version} was registered or asked for")
    return look.stay(look.hooked, flags=frozenset({Flag.HELD})) if look.hooked else look
