"""The versions of the model that an endpoint serves: which the policy allows, and which is the newest."""

from __future__ import annotations

from collections.abc import Sequence

from cloud.errors import CloudError
from cloud.models import Place as ModelPlace
from policy.match import endpoint_name, watches
from policy.model import Policy, Target
from rollout.context import Context
from rollout.inbox import Inbox
from rollout.observation import Versions, VersionSeen
from rollout.place import Place
from rollout.record import Record


def model_place(policy: Policy, target: Target) -> ModelPlace:
    """Where the policy's models are registered: its registry, or the target's workspace."""
    return ModelPlace(target.subscription_id, target.resource_group, target.workspace, policy.model.registry)


def list_versions(
    context: Context,
    place: Place,
    policy: Policy,
    target: Target,
    record: Record | None,
    inbox: Inbox,
    trouble: list[str],
) -> Versions | None:
    """The versions that are not archived; None when they could not be listed. One list call (two for a wildcard)."""
    home = model_place(policy, target)
    owner = _owner(place, policy, target, record)
    try:
        name = owner or inbox.model or (record.model if record else _model_of(context, place, policy, target, home))
        found = context.models.versions(home, name) if name else ()
        if owner is not None and inbox.model not in (None, owner):
            if found:
                trouble.append(crowded(place.endpoint, (owner, str(inbox.model))))
            else:
                found = context.models.versions(home, str(inbox.model))
    except CloudError as error:
        trouble.append(str(error))
        return None
    required = policy.model.require_tags
    eligible = [v for v in found if all(v.tags.get(key) == value for key, value in required.items())]
    known = {v.version: VersionSeen(v.version, v.id, v.created) for v in found}
    newest = max(eligible, key=lambda v: v.created, default=None)
    return Versions(
        newest=known[newest.version] if newest else None,
        eligible=frozenset(v.version for v in eligible),
        known=known,
    )


def _owner(place: Place, policy: Policy, target: Target, record: Record | None) -> str | None:
    """The model whose versions have been rolled out at a wildcard's endpoint, which no other's may take over."""
    if record is None or not policy.model.is_wildcard or not watches(policy, record.model):
        return None
    return record.model if endpoint_name(target, record.model).lower() == place.endpoint else None


def crowded(endpoint: str, models: Sequence[str]) -> str:
    """What is said of models of one wildcard whose names come to one endpoint."""
    return (
        f"the models {' and '.join(models)} would share endpoint {endpoint}, and it serves only one of them:"
        " give the other a name or a policy of its own"
    )


def _model_of(context: Context, place: Place, policy: Policy, target: Target, home: ModelPlace) -> str | None:
    """The model of an endpoint that nothing has spoken of yet; a wildcard's is the one whose endpoint this is."""
    if not policy.model.is_wildcard:
        return policy.model.name
    names = (name for name in context.models.names(home) if watches(policy, name))
    return next((name for name in names if endpoint_name(target, name).lower() == place.endpoint), None)
