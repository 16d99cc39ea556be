"""Smoke requests: straight to the candidate, past the traffic rules, before it sees any traffic."""

from __future__ import annotations

import json
from collections.abc import Callable

from cloud.endpoints import Endpoint
from cloud.errors import CloudError
from cloud.scoring import score
from policy.model import Policy
from policy.model import Smoke as SmokeStep
from rollout.context import Context
from rollout.observation import Smoke
from rollout.record import Record

TIMEOUT_SECONDS = 25.0
"""For one request; the lease is renewed between two of them."""


def smoke_test(
    context: Context,
    policy: Policy,
    record: Record,
    endpoint: Endpoint,
    trouble: list[str],
    *,
    renew: Callable[[], None],
) -> Smoke | None:
    """What the policy's requests came to; None when the endpoint could not be asked: not the candidate's fault."""
    step = policy.steps[record.step]
    if not isinstance(step, SmokeStep) or not step.requests:
        return Smoke(True, "the deployment is ready; no smoke requests in the policy")
    limit = step.max_latency.total_seconds() if step.max_latency else None
    try:
        key = context.endpoints.key(endpoint)
        for index, request in enumerate(step.requests):
            renew()
            reply = score(
                endpoint.scoring_uri,
                key,
                request,
                deployment=record.candidate,
                probe_id=context.new_id(),
                timeout=TIMEOUT_SECONDS,
            )
            problem = _problem(reply.status, reply.body, reply.seconds, limit)
            if problem:
                return Smoke(False, f"request {index + 1}: {problem}")
    except CloudError as error:
        trouble.append(str(error))
        return None
    return Smoke(True, f"{len(step.requests)} smoke requests answered well")


def _problem(status: int, body: str, seconds: float, limit: float | None) -> str:
    if status != 200:
        return f"answered {status}: {body[:200]}"
    try:
        json.loads(body)
    except ValueError:
        return f"the answer is not JSON: {body[:200]}"
    if limit is not None and seconds > limit:
        return f"took {seconds:.2f} s, more than {limit:g} s"
    return ""
