"""Do the logs arrive that a rollout is judged by, and can they be read? Settings, then the product's own queries."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cloud.diagnostics import ONLINE_CATEGORIES, DiagnosticSetting
from cloud.errors import CloudError, NotFound, Permanent
from cloud.kql import Value, behind, render
from cloud.logs import NoData
from policy.gates import QueryGate
from rollout.doctor import mend
from rollout.doctor.case import Case
from rollout.doctor.finding import Check, bad, doubtful, good
from rollout.evidence import QUERIES, QUERY_SECONDS, Lines, counts, request_values

WINDOW = timedelta(hours=24)
HOUR = timedelta(hours=1)
FEW = 0.95
"""A smaller share of requests than this that pair by id is told."""
SETTING, READER = "diagnostic setting", "log queries"

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class OtherQuery:
    """A query of another room that is run to see that it runs."""

    name: str
    kql: str
    since: datetime
    until: datetime


def sent(case: Case) -> tuple[Check, ...]:
    """Whether the endpoint sends its three categories of logs to the workspace that the policy reads."""
    wanted = case.target.log_analytics_workspace_id
    if wanted is None:
        text = f"target {case.target.name} has no log_analytics_workspace_id: nothing can be judged, nothing promoted"
        return (bad(SETTING, text, f"give log_analytics_workspace_id of target {case.target.name} in the policy"),)
    make = mend.diagnostic_setting(case.place.endpoint_id, case.target)
    try:
        found = case.diagnostics.of(case.place.endpoint_id)
        there, unsure = _to_workspace(case, found, wanted)
    except Permanent as error:
        read = mend.role(case.caller, mend.MONITORING_READER, case.group_id)
        return (doubtful(SETTING, f"it cannot be read: {error}", read),)
    missing = [one for one in ONLINE_CATEGORIES if not any(setting.sends(one) for setting in there)]
    if not missing:
        names = ", ".join(setting.name for setting in there)
        return (good(SETTING, f"{names} sends {', '.join(ONLINE_CATEGORIES)} to workspace {wanted}"),)
    if not [one for one in ONLINE_CATEGORIES if not any(setting.sends(one) for setting in (*there, *unsure))]:
        seen = ", ".join(sorted(setting.workspace for setting in unsure))
        text = f"logs go to {seen}, which may not be read: nobody can tell whether it is workspace {wanted}"
        return (doubtful(SETTING, text, mend.role(case.caller, mend.READER, unsure[0].workspace)),)
    elsewhere = sorted({setting.workspace for setting in found} - {setting.workspace for setting in there})
    text = f"{', '.join(missing)} do not go to workspace {wanted}"
    return (bad(SETTING, f"{text}; they go to {', '.join(elsewhere)}" if elsewhere else text, make),)


def _to_workspace(
    case: Case, found: Iterable[DiagnosticSetting], wanted: str
) -> tuple[list[DiagnosticSetting], list[DiagnosticSetting]]:
    """(settings that send to the policy's workspace, those whose workspace may not be looked at)."""
    known: dict[str, str | None] = {}
    for setting in found:
        if setting.workspace not in known:
            try:
                known[setting.workspace] = case.diagnostics.customer_id(setting.workspace)
            except Permanent:
                known[setting.workspace] = None
    there = [one for one in found if known[one.workspace] == wanted.lower()]
    return there, [one for one in found if known[one.workspace] is None]


def answered(
    case: Case, since: datetime, until: datetime, *, between: Callable[[], None] = lambda: None
) -> tuple[Check, ...]:
    """Whether the queries that a rollout is judged by run; one that is wrong, or not allowed, fails.

    `between` is called before each: together they may outlast a lease.
    """
    checks = []
    for name, run in _queries(case, since, until).items():
        between()
        checks.append(_ran(case, name, run))
        if checks[-1].stops:
            break  # the others would only say the same
    return tuple(checks)


def _queries(case: Case, since: datetime, until: datetime) -> dict[str, Callable[[], Rows]]:
    live = case.live.name if case.live is not None else ""
    of_requests = request_values((since, until), live, Lines.of(case.policy.gates.latency_p95))
    found = {"query requests.kql": lambda: _ask(case, "requests.kql", since, until, **of_requests)}
    for gate in case.policy.gates.queries:
        found[f"query {gate.name}"] = lambda gate=gate: _own(case, gate, live, since, until)  # type: ignore[misc]
    if case.pairs:
        for file in ("pairs_by_request.kql", "pairs_by_input.kql"):
            # Paired with itself: each line that can be read at all is then a pair.
            values = {"live": live, "candidate": live, "tolerance": 0.0}
            found[f"query {file}"] = lambda file=file, values=values: _ask(case, file, since, until, **values)  # type: ignore[misc]
    return found


def _own(case: Case, gate: QueryGate, live: str, since: datetime, until: datetime) -> Rows:
    """A query of the policy's own; Permanent when its rows are not what a gate is judged by."""
    values: dict[str, Value] = {"resource": case.place.endpoint_id, "live": live, "candidate": live}
    kql = behind(gate.query, since=since, until=until, **values)
    rows = case.context.logs.query(
        case.target.log_analytics_workspace_id or "", kql, since, until, timeout=QUERY_SECONDS
    )
    try:
        counts(rows, live)
    except ValueError as error:
        raise Permanent(str(error)) from None
    return rows


def _ran(case: Case, name: str, run: Callable[[], Rows]) -> Check:
    workspace = case.target.log_analytics_workspace_id
    give = mend.role(case.caller, mend.LOGS_READER, mend.log_workspace(case.target))
    try:
        rows = run()
    except NoData:
        return doubtful(
            name, f"workspace {workspace} holds no data at all yet: none is expected before the first request"
        )
    except NotFound as error:
        text = f"there is no workspace {workspace} that the app may query: {error}"
        return bad(name, text, mend.LOG_WORKSPACES)
    except Permanent as error:
        return bad(name, str(error), give if error.status in (401, 403) else "")
    return good(name, _told(rows))


def _told(rows: Rows) -> str:
    """The rows in a few words: their numbers, never a text, which may be what somebody sent to the model."""
    if not rows:
        return "it runs; no rows"
    numbers = {key: value for key, value in rows[0].items() if isinstance(value, int | float)}
    first = ", ".join(f"{key} {value:g}" for key, value in numbers.items())
    return f"it runs; {len(rows)} {'row' if len(rows) == 1 else 'rows'}" + (f": {first}" if first else "")


def arriving(case: Case, since: datetime, until: datetime) -> tuple[Check, ...]:
    """Whether requests that the endpoint's metrics count are in the log: settings alone do not prove that rows come."""
    name, hours = "log rows", WINDOW // HOUR
    if case.endpoint is None or case.target.log_analytics_workspace_id is None:
        return ()
    try:
        rows = _ask(case, "arrivals.kql", since, until)
    except NoData:
        rows = []
    logged = int(rows[0]["requests"]) if rows else 0
    if logged:
        return (good(name, f"{logged} requests of the last {hours} h are in the log"),)
    asked = (case.endpoint.region, case.place.endpoint_id, "RequestsPerMinute", since, until)
    if not any(any(one.points) for one in case.context.metrics.averages(*asked, split_by=("deployment",))):
        return (doubtful(name, f"no request in the last {hours} h, so no rows to be seen: send some and ask again"),)
    text = f"its metrics count requests in the last {hours} h, and the log holds none of them"
    make = mend.diagnostic_setting(case.place.endpoint_id, case.target)
    return (doubtful(name, f"{text}: a new setting takes up to an hour; after that, make it anew", make),)


def other(case: Case, queries: Iterable[OtherQuery]) -> tuple[Check, ...]:
    """The same for queries of other rooms."""
    workspace = case.target.log_analytics_workspace_id
    if workspace is None:
        return ()

    def run(one: OtherQuery) -> Rows:
        return case.context.logs.query(workspace, one.kql, one.since, one.until, timeout=QUERY_SECONDS)

    return tuple(_ran(case, one.name, lambda one=one: run(one)) for one in queries)  # type: ignore[misc]


def request_ids(case: Case, since: datetime, until: datetime) -> tuple[Check, ...]:
    """Whether requests can be told apart by an id, which is what mirrored answers are paired by."""
    name = "request ids"
    if case.live is None or not case.pairs or case.target.log_analytics_workspace_id is None:
        return ()
    try:
        rows = _ask(case, "request_ids.kql", since, until, live=case.live.name)
    except CloudError as error:
        return (doubtful(name, str(error)),)
    requests, named, spoken = (int(rows[0][key] or 0) if rows else 0 for key in ("requests", "named", "spoken"))
    if not requests:
        return (
            doubtful(name, f"no request to {case.live.name} in the last {WINDOW // HOUR} h: nothing can be told yet"),
        )
    text = f"of {requests} requests the log of {case.live.name} speaks of {spoken} by their x-request-id"
    text += f"; {named} came with an x-ms-client-request-id of the caller's own"
    if spoken >= FEW * requests:
        return (good(name, text),)
    if not _by_input(case, since, until):
        text += "; nor can answers be paired by their input: `agreement` cannot be judged"
        return (bad(name, text, "log each request and its answer in score.py (docs/guide.md), or drop `agreement`"),)
    text += "; answers of two deployments are then paired by their input instead"
    return (doubtful(name, text, "log the request's x-request-id as `request_id` in score.py (docs/guide.md)"),)


def _by_input(case: Case, since: datetime, until: datetime) -> int:
    """How many answers of the live deployment could be paired by their input."""
    name = case.live.name if case.live is not None else ""
    rows = _ask(case, "pairs_by_input.kql", since, until, live=name, candidate=name, tolerance=0.0)
    return int(rows[0]["pairs"]) if rows else 0


def _ask(case: Case, file: str, since: datetime, until: datetime, **values: Value) -> Rows:
    workspace = case.target.log_analytics_workspace_id or ""
    kql = render(QUERIES / file, resource=case.place.endpoint_id, since=since, until=until, **values)
    return case.context.logs.query(workspace, kql, since, until, timeout=QUERY_SECONDS)
