"""Smoke tests: the candidate's inputs, and requests straight to it, past the traffic rules, before it sees any traffic.

A slow answer is asked for once more and only the second counts against `max_latency`: a new container's first answer is
slow, and each instance has a first.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from cloud.endpoints import Deployment, Endpoint
from cloud.errors import CloudError, Permanent, Temporary
from cloud.scoring import Reply, Scoring
from policy.gates import Agreement
from policy.model import Policy, Target
from policy.model import Smoke as SmokeStep
from policy.steps import PATIENCE
from rollout.answers import MISSING, problem
from rollout.context import Context
from rollout.input_schema import compared_inputs
from rollout.observation import Smoke
from rollout.record import Record
from rollout.recorded import recorded_requests

TIMEOUT_SECONDS = PATIENCE.total_seconds()
"""For one request; the lease is renewed between two of them."""
ALL_WITHIN = timedelta(minutes=4)
"""For all requests of a look: a function's time is limited, and the endpoint is leased meanwhile."""
TOLERANCE: float = Agreement.model_fields["tolerance"].default
"""What numbers may differ by where the agreement gate is off."""
NOT_THE_MODELS = frozenset({401, 403, 404, 429, 500, 502, 503, 504})
"""Answers of Azure's front, not of the model (a model that fails is 424): asked again by a later look."""


def smoke_test(
    context: Context,
    policy: Policy,
    target: Target,
    record: Record,
    endpoint: Endpoint,
    live: Deployment | None,
    trouble: list[str],
    *,
    renew: Callable[[], None],
) -> Smoke | None:
    """What the smoke step came to; None when it could not be made: not the candidate's fault, and tried again."""
    step = policy.steps[record.step]
    if not isinstance(step, SmokeStep):
        return Smoke(True, "no smoke step")
    tolerance = policy.gates.agreement.tolerance if policy.gates.agreement else TOLERANCE
    try:
        requests = recorded_requests(context, target, step.requests, step.requests_from)
        if step.expect.values and len(step.expect.values) != len(requests):
            given = f"{len(step.expect.values)} expect.values for {len(requests)} requests"
            raise Permanent(f"the policy's smoke step has {given}: give one for each, or none")
        with Scoring(endpoint.scoring_uri, context.endpoints.key(endpoint)) as scoring:
            said = ["the deployment is ready"]
            if step.input_schema == "compatible" and live is not None:
                old, new = (live.name, live.model), (record.candidate, record.model_id)
                inputs = compared_inputs(context, scoring, endpoint, live=old, candidate=new, renew=renew)
                if not inputs.compatible:
                    return Smoke(False, inputs.text)
                said.append(inputs.text)
            test = _Test(context, scoring, step, record.candidate, tolerance, renew)
            found = test.run(requests)
    except CloudError as error:
        trouble.append(str(error))
        return None
    if found:
        return Smoke(False, found)
    said.append(f"{len(requests)} smoke requests answered well" if requests else "no smoke requests in the policy")
    return Smoke(True, "; ".join(said))


class _Test:
    """The requests of one smoke step, sent to one deployment."""

    def __init__(
        self,
        context: Context,
        scoring: Scoring,
        step: SmokeStep,
        deployment: str,
        tolerance: float,
        renew: Callable[[], None],
    ) -> None:
        self._context, self._scoring, self._step = context, scoring, step
        self._deployment, self._tolerance, self._renew = deployment, tolerance, renew

    def run(self, requests: tuple[Any, ...]) -> str:
        """Which request failed and why, or nothing. Temporary when the endpoint could not be asked."""
        began = self._context.clock()
        for number, request in enumerate(requests, start=1):
            if self._context.clock() - began > ALL_WITHIN:
                return f"only {number - 1} of {len(requests)} requests were answered within {ALL_WITHIN}"
            if wrong := self._wrong(number, request):
                return f"request {number} of {len(requests)}: {wrong}"
        return ""

    def _wrong(self, number: int, request: Any) -> str:
        expect = self._step.expect
        value = expect.values[number - 1] if expect.values else MISSING
        reply = self._ask(number, request)
        if wrong := problem(expect, value, reply.status, reply.body, tolerance=self._tolerance):
            return wrong
        limit = self._step.max_latency
        if limit is None or reply.seconds <= limit.total_seconds():
            return ""
        again = self._ask(number, request)
        if again.seconds <= limit.total_seconds():
            return ""
        return f"expected an answer within {limit.total_seconds():g} s, came after {again.seconds:.2f} s, asked twice"

    def _ask(self, number: int, request: Any) -> Reply:
        self._renew()
        probe = self._context.new_id()
        reply = self._scoring.probe(request, deployment=self._deployment, probe_id=probe, timeout=TIMEOUT_SECONDS)
        if reply.status in NOT_THE_MODELS and reply.status != self._step.expect.status:
            raise Temporary(f"smoke request {number}: the endpoint answered {reply.status}", retry_after=5.0)
        return reply
