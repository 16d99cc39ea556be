"""What the drift and the cost gate need to know, read for one look: the drift wing's newest result, and prices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cloud.endpoints import Deployment, Endpoint
from cloud.errors import CloudError
from policy.model import Policy
from rollout.codec import moment
from rollout.context import Context
from rollout.drift_gate import DriftSeen
from rollout.holding_gates import ASKED
from rollout.machines import Machines
from rollout.phases import Phase
from rollout.place import Place
from rollout.record import Record

DRIFT = "drift"


def newest_drift(
    context: Context, place: Place, policy: Policy, record: Record | None, trouble: list[str]
) -> DriftSeen | None:
    """The newest result of the endpoint, where the policy judges by it; None where it could not be read."""
    if policy.gates.drift is None or record is None or record.batch or record.phase not in ASKED:
        return None
    return read_drift(context, place, trouble)


def read_drift(context: Context, place: Place, trouble: list[str]) -> DriftSeen | None:
    """The newest result as the drift wing wrote it (docs/decisions/0006)."""
    try:
        stored = context.blobs.read(DRIFT, f"{place.policy}/{place.target}/{place.endpoint}/latest.json")
    except CloudError as error:
        trouble.append(str(error))
        return None
    if stored is None:
        return DriftSeen()
    try:
        return _drift(json.loads(stored.data))
    except (ValueError, KeyError, TypeError) as error:
        return DriftSeen(problem=f"the newest result is not one that can be read: {error!r}")


def _drift(result: Mapping[str, Any]) -> DriftSeen:
    until, rows = moment(result["until"]), int(result.get("rows", 0))
    if result["status"] != "measured":
        return DriftSeen(until, rows=rows, problem=f"{result['status']}: {result.get('reason', '')}")
    of = result["overall"]
    share, drifted, features = of["share_drifted_features"], of["n_drifted_features"], of["n_features"]
    return DriftSeen(until, float(share), int(drifted), int(features), rows)


def compared_machines(
    context: Context,
    policy: Policy,
    record: Record | None,
    endpoint: Endpoint | None,
    deployments: Mapping[str, Deployment],
    now: datetime,
) -> Machines | None:
    """The machines of live and candidate; None where they need not be asked for, for the record has them.

    Before the start they are compared again at each look, for live may change; prices are read only of what is new.
    """
    if policy.gates.cost is None or record is None or endpoint is None or record.batch or record.kind != "rollout":
        return None
    known, begins = record.machines, record.phase is Phase.DEPLOYING and record.since is None
    if record.phase not in (Phase.DEPLOYING, *ASKED) or (known is not None and not begins):
        return None
    live = _live(record, endpoint, deployments)
    if live is None:
        return None
    candidate = deployments.get(record.candidate)
    wanted = instance_type(candidate) if candidate else policy.deployment.instance_type or instance_type(live)
    if known is not None and (known.live, known.candidate) == (instance_type(live), wanted):
        return None
    return priced(context, instance_type(live), wanted, endpoint.region, now)


def priced(context: Context, live: str, candidate: str, region: str, now: datetime) -> Machines:
    """Two instance types, with what an instance of each costs where that matters."""
    found = Machines(live, candidate)
    if not live or not candidate:
        return Machines(live, candidate, problem="a deployment does not tell its instance type")
    if found.same:
        return found
    try:
        of_live, of_candidate = (context.prices.hourly(one, region, now) for one in (live, candidate))
    except CloudError as error:
        return Machines(live, candidate, problem=str(error))
    return Machines(live, candidate, of_live, of_candidate)


def instance_type(deployment: Deployment) -> str:
    """The instance type of an online deployment."""
    return str(deployment.body["properties"].get("instanceType") or "")


def _live(record: Record, endpoint: Endpoint, deployments: Mapping[str, Deployment]) -> Deployment | None:
    """What the candidate is to take the place of: before the start, whatever has the largest share now."""
    if record.phase is not Phase.DEPLOYING:
        return deployments.get(record.live or "")
    shares = {name: share for name, share in endpoint.traffic.items() if name != record.candidate}
    return deployments.get(max(shares, key=lambda one: shares[one], default=""))
