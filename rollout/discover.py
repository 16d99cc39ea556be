"""Versions found by looking: registries raise no events, tags never do, and an event may be lost."""

from __future__ import annotations

import json
from hashlib import sha256

from cloud.errors import CloudError, Conflict
from cloud.models import ModelVersion
from cloud.models import Place as ModelPlace
from policy.match import by_endpoint, places, watches
from policy.model import Policy
from rollout.codec import stamp
from rollout.context import Context
from rollout.intake import item_id, registered_at
from rollout.place import place_of
from rollout.versions import crowded, model_place

STATE = "state"


def discover(context: Context) -> list[str]:
    """List every watched model once and tell the endpoints whose model changed; what could not be listed, in words."""
    troubles = []
    for policy in context.policies.current().policies.values():
        try:
            troubles += [f"{policy.name}: {text}" for text in _policy(context, policy)]
        except CloudError as error:
            troubles.append(f"{policy.name}: {error}")
    return troubles


def _policy(context: Context, policy: Policy) -> list[str]:
    """List the policy's models; what is wrong with their names."""
    troubles = []
    homes = dict.fromkeys(model_place(policy, target) for target in policy.targets)
    for home in homes:
        names = [policy.model.name]
        if policy.model.is_wildcard:
            names = [name for name in context.models.names(home) if watches(policy, name)]
            troubles += _crowded(policy, home, names)
        for name in names:
            digest = _digest(context.models.versions(home, name))
            for target, endpoint in places(policy, name):
                if model_place(policy, target) != home:
                    continue
                place = place_of(policy, target, endpoint)
                blob = f"models/{place.key}.{item_id(name)}.json"
                known = context.blobs.read(STATE, blob)
                if known is not None and json.loads(known.data).get("digest") == digest:
                    continue
                # Told first, remembered second: after a crash between the two it is told once more.
                # The state's ETag is part of the id: versions that change back to what they were are news again.
                identity = item_id("listing", name, digest, known.etag if known else "")
                registered_at(context, place, identity, {"model": name, "event": digest})
                _remember(context, blob, digest, known.etag if known else None)
    return troubles


def _crowded(policy: Policy, home: ModelPlace, names: list[str]) -> list[str]:
    targets = [target for target in policy.targets if model_place(policy, target) == home]
    found = {endpoint: models for target in targets for endpoint, models in by_endpoint(target, names).items()}
    return [crowded(endpoint, models) for endpoint, models in found.items() if len(models) > 1]


def _remember(context: Context, blob: str, digest: str, etag: str | None) -> None:
    data = json.dumps({"digest": digest, "at": stamp(context.clock())}).encode()
    try:
        context.blobs.write(STATE, blob, data, etag=etag, absent=etag is None)
    except Conflict:
        return  # another discovery was faster and saw the same


def _digest(versions: tuple[ModelVersion, ...]) -> str:
    """Changes when a version appears, disappears (archived), is registered again or changes its tags."""
    lines = sorted(f"{v.version}|{stamp(v.created)}|{json.dumps(dict(v.tags), sort_keys=True)}" for v in versions)
    return sha256("\n".join(lines).encode()).hexdigest()
