"""Sending recorded requests as load: one after another, through the endpoint, for a few seconds of a look.

They name no deployment, so the traffic rules choose and Azure mirrors them as it mirrors a client's. They are marked
(cloud.scoring): the evidence counts them and says so, and the exported data set leaves them out. What a look had no
time for is not made up for, and the first answer of an endpoint that has too much to do ends the look's sending.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from cloud.errors import CloudError
from cloud.scoring import Scoring
from policy.model import Canary, Load, Policy, Shadow
from rollout.context import Context
from rollout.inbox import stops
from rollout.place import Place
from rollout.record import Record
from rollout.recorded import recorded_requests

LOOK_WITHIN = timedelta(seconds=10)
"""How long one look sends; the endpoint is leased meanwhile."""
TIMEOUT_SECONDS = 5.0
NEWS_EVERY = timedelta(seconds=1)
"""How often the inbox is looked into while sending: an alert does not wait for the load to end."""
BYTES_A_SECOND = 500_000
"""Bodies, both ways: a tenth of what an endpoint carries by default (5 MBPS), which clients and copies share."""
PAUSE_SECONDS = 0.25
TOO_MUCH = frozenset({408, 429, 503})
"""Answers after which no more is sent in this look."""


def send_load(
    context: Context,
    place: Place,
    policy: Policy,
    record: Record,
    count: int,
    *,
    renew: Callable[[], None],
) -> None:
    """Send up to `count` requests of the step's load; CloudError when they or the endpoint cannot be had."""
    step = policy.steps[record.step]
    load = step.load if isinstance(step, Shadow | Canary) else None
    endpoint = context.endpoints.read(place.endpoint_id) if load is not None else None
    if load is None or endpoint is None or (endpoint.traffic, endpoint.mirror) != (record.traffic, record.mirror):
        return  # gone, or in other hands since the look saw it
    target = next(one for one in policy.targets if one.name == place.target)
    requests = recorded_requests(context, target, load.requests, load.requests_from)
    renew()
    due = _in_turn(requests, count, load, context.clock())
    with Scoring(endpoint.scoring_uri, context.endpoints.key(endpoint)) as scoring:
        one_after_another(
            scoring,
            due,
            clock=context.clock,
            wait=context.wait,
            new_id=context.new_id,
            news=lambda: stops(context.store.unread(place, record).items),
        )


def _in_turn(requests: tuple[Any, ...], count: int, load: Load, now: datetime) -> list[Any]:
    """The next `count` of the requests, going round; where to begin follows from the clock, so nothing is kept."""
    first = int(now.timestamp() / 60 * load.per_minute)
    return [requests[(first + number) % len(requests)] for number in range(count)]


def one_after_another(
    scoring: Scoring,
    requests: Iterable[Any],
    *,
    clock: Callable[[], datetime],
    wait: Callable[[float], None],
    new_id: Callable[[], str],
    news: Callable[[], bool],
) -> int:
    """Send them until the time or the endpoint's patience is used up, or `news` came; how many were answered."""
    began = looked = clock()
    carried = answered = 0

    def may_go_on() -> bool:
        nonlocal looked
        now = clock()
        if now - looked > NEWS_EVERY:
            looked = now
            if news():
                return False
        return now - began <= LOOK_WITHIN

    for request in requests:
        while (going := may_go_on()) and carried > BYTES_A_SECOND * (1 + (clock() - began).total_seconds()):
            wait(PAUSE_SECONDS)
        if not going:
            break
        try:
            reply = scoring.load(request, load_id=new_id(), timeout=TIMEOUT_SECONDS)
        except CloudError:
            break  # a client without an answer would not press on either; what was answered is in the logs
        answered += 1
        carried += len(json.dumps(request)) + len(reply.body)
        if reply.status in TOO_MUCH:
            break
    return answered
