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
from cloud.errors import CloudError
from policy.model import Policy, Target
from rollout.context import Context
from rollout.doctor import logs, roles
from rollout.doctor.case import Case
from rollout.doctor.finding import Check
from rollout.place import Place
from rollout.record import Checked, Record

WINDOW = timedelta(minutes=15)
"""What the queries are run over: whether they run is asked, not what they say."""
AGAIN, GOOD_FOR = 6, 60
"""How many paces failing checks are believed, and passing ones while something else is in the way of the start."""


def before_start(
    context: Context,
    place: Place,
    policy: Policy,
    target: Target,
    record: Record,
    endpoint: Endpoint,
    deployments: Mapping[str, Deployment],
    trouble: list[str],
    *,
    quick: bool,
    news: bool,
    renew: Callable[[], None],
) -> Checked | None:
    """What was found before, while it is fresh and nobody said anything (`news`); else what is found now.

    None when nothing could be found out, as in a `quick` look, which leaves it to the next.
    """
    now, known = context.clock(), record.checks
    fresh = context.pace * (AGAIN if known.failed else GOOD_FOR)
    if known.at is not None and not news and now - known.at < fresh:
        return known
    if quick:
        return None
    try:
        case = Case(context, policy, target, place, Access(context.arm).caller(), record.model, endpoint, deployments)
        return Checked(now, tuple(check.told for check in _checks(case, now, renew) if check.stops))
    except CloudError as error:
        trouble.append(str(error))
        return None


def _checks(case: Case, now: datetime, renew: Callable[[], None]) -> list[Check]:
    renew()
    checks = [*roles.on_endpoint(case)]
    if not case.place.batch:
        checks += logs.sent(case)
        if case.target.log_analytics_workspace_id is not None:
            renew()
            checks += logs.answered(case, now - WINDOW, now, between=renew)
    return checks
