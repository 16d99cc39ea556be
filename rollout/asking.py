"""Asking the hooks whose leave a decision wants: all at once, each within its time, none of them trusted."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from policy.hooks import Hook
from policy.model import Policy
from rollout.context import Context
from rollout.hooks import START
from rollout.inbox import stops
from rollout.observation import HookAnswer
from rollout.place import Place
from rollout.record import Record, Wants

NEWS_SECONDS = 0.5
"""How often the inbox is read while a hook is thinking: an alert waits no longer for it."""


def ask(
    context: Context, place: Place, policy: Policy, record: Record, *, renew: Callable[[], None]
) -> tuple[HookAnswer, ...]:
    """What the hooks of `record.wants` say; nothing, when something new in the inbox is not to wait for them."""
    wants = record.wants
    if wants is None:
        return ()
    hooks = [hook for hook in policy.hooks if hook.name in wants.hooks]

    def answer(hook: Hook) -> HookAnswer:
        body = question(place, policy, record, wants, hook)
        said = context.hooks.ask(hook.url, body, audience=hook.audience, seconds=hook.timeout.total_seconds())
        return HookAnswer(hook.name, wants.step, said.leave, said.text)

    renew()
    pool = ThreadPoolExecutor(max_workers=len(hooks), thread_name_prefix="hook")
    try:
        asked = [pool.submit(answer, hook) for hook in hooks]
        while wait(asked, timeout=NEWS_SECONDS).not_done:
            if stops(context.store.unread(place, record).items):
                return ()
        return tuple(one.result() for one in asked)
    finally:
        pool.shutdown(wait=False)


def question(place: Place, policy: Policy, record: Record, wants: Wants, hook: Hook) -> dict[str, Any]:
    """What a hook is told. `id` is the same however often leave for this step of this rollout is asked for."""
    now = "start" if record.step == START else policy.steps[record.step].named
    return {
        "id": f"{place.policy}/{place.target}/{place.endpoint}/{record.number}/{wants.step}",
        "hook": hook.name,
        **place.message,
        "model": record.model,
        "version": record.version,
        "number": record.number,
        "from": now,
        "to": "start" if wants.step == START else wants.to,
        "step": wants.step,
        "record": record.writes,
        "reasons": [wants.why],
    }
