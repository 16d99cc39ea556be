"""Which endpoints an alert speaks of, by the first of the contract's ways that finds any.

In order: the target's resource id; the dimensions `_ResourceId`, `endpoint`, `deployment`, `model_name`; the custom
property `understudy.policy`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from policy.match import endpoint_name, watches
from policy.model import Policy
from rollout.alerts import Alert
from rollout.context import Context
from rollout.place import Place, owners, owns, place_of
from rollout.reconcile import acting
from rollout.store import Listing

Found = Iterator[Place]


def concerned_by(context: Context, alert: Alert) -> dict[Place, Policy]:
    """Each endpoint that the alert speaks of, with the policy that says what to do."""
    listings = list(context.store.listings())
    policies = acting(context)
    ways: tuple[Callable[[Policy], Found], ...] = (
        lambda policy: _by_resource(policy, alert.targets),
        lambda policy: _by_resource(policy, (alert.dimensions.get("_resourceid", ""),)),
        lambda policy: _by_endpoint(policy, alert.dimensions.get("endpoint", "")),
        lambda policy: _by_deployment(policy, alert.dimensions.get("deployment", ""), listings),
        lambda policy: _by_model(policy, alert.dimensions.get("model_name", "")),
        lambda policy: _by_property(policy, alert.properties.get("understudy.policy", ""), listings),
    )
    for way in ways:
        found = {place: policy for policy, only in policies for place in way(policy) if not only or place in only}
        if found:
            return found
    return {}


def _by_resource(policy: Policy, ids: tuple[str, ...]) -> Found:
    for one in ids:
        yield from owners(policy, one)


def _by_endpoint(policy: Policy, endpoint: str) -> Found:
    for target in policy.targets:
        if endpoint and owns(target, endpoint):
            yield place_of(policy, target, endpoint)


def _by_deployment(policy: Policy, deployment: str, listings: list[Listing]) -> Found:
    wanted = deployment.lower()
    for one in listings:
        if wanted and one.policy == policy.name and wanted in (one.live.lower(), one.candidate.lower()):
            yield from _listed(policy, one)


def _by_model(policy: Policy, model: str) -> Found:
    if model and watches(policy, model):
        for target in policy.targets:
            yield place_of(policy, target, endpoint_name(target, model))


def _by_property(policy: Policy, name: str, listings: list[Listing]) -> Found:
    """All endpoints of the policy; a wildcard's are those that had a rollout."""
    if not name or name != policy.name:
        return
    if not policy.model.is_wildcard:
        yield from _by_model(policy, policy.model.name)
        return
    for one in listings:
        if one.policy == name:
            yield from _listed(policy, one)


def _listed(policy: Policy, one: Listing) -> Found:
    for target in policy.targets:
        if target.name == one.target and owns(target, one.endpoint):
            yield place_of(policy, target, one.endpoint)
