"""The checks that every rollout makes before it writes anything: those that are cheap and that nothing else would tell.

At most three reads of Azure Resource Manager and three log queries, once for each rollout, and again every few minutes
while one of them fails. What the start itself finds out (the endpoint's state and split, versions, autoscale, quota,
which Azure answers at the PUT) is not asked twice. Going back is never checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from cloud.access import Access
from cloud.endpoints import Deployment, Endpoint
from policy.model import Policy, Target
from rollout.context import Context
from rollout.doctor import logs, roles
from rollout.doctor.case import Case
from rollout.doctor.finding import Check
from rollout.place import Place
from rollout.record import Checked, Record

WINDOW = timedelta(minutes=15)
"""What the queries are run over: whether they run is asked, not what they say."""
AGAIN = timedelta(minutes=3)
"""How long failing checks are believed."""
GOOD_FOR = timedelta(minutes=30)
"""How long passing ones are, while something else keeps the rollout from its start."""


def before_start(
    context: Context,
    place: Place,
    policy: Policy,
    target: Target,
    record: Record,
    endpoint: Endpoint,
    deployments: Mapping[str, Deployment],
    now: datetime,
    *,
    news: bool,
    renew: Callable[[], None],
) -> Checked:
    """What was found before, while it is fresh and nobody said anything (`news`); else what is found now."""
    known = record.checks
    if known.at is not None and not news and now - known.at < (AGAIN if known.failed else GOOD_FOR):
        return known
    caller = Access(context.arm).caller()
    case = Case(context, policy, target, place, caller, record.model, endpoint, deployments)
    renew()
    checks: list[Check] = [*roles.on_endpoint(case)]
    if not place.batch:
        checks += logs.sent(case)
        if target.log_analytics_workspace_id is not None:
            renew()
            checks += logs.answered(case, now - WINDOW, now)
    return Checked(now, tuple(check.told for check in checks if check.stops))
