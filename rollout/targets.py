"""Targets are released in order: whether the one before is done with the version."""

from __future__ import annotations

from cloud.errors import CloudError
from policy.match import endpoint_id, endpoint_name
from policy.model import Policy, Target
from rollout.context import Context
from rollout.idle import model_name
from rollout.phases import Phase
from rollout.record import Record


def earlier_target(
    context: Context, policy: Policy, target: Target, record: Record | None, trouble: list[str]
) -> tuple[str | None, str | None]:
    """(why to wait for the target before this one, why to give up because of it); both None: go on."""
    index = [one.name for one in policy.targets].index(target.name)
    if record is None or record.phase is not Phase.DEPLOYING or index == 0:
        return None, None
    before = policy.targets[index - 1]
    kept = context.store.load(policy.name, before.name, endpoint_name(before, record.model).lower())
    if kept is not None and kept.record.version == record.version:
        if kept.record.phase is Phase.DONE:
            return None, None
        if kept.record.terminal:
            ended = f"{kept.record.phase.value}: {'; '.join(kept.record.reasons)}"
            return None, f"target {before.name} ended without version {record.version} ({ended})"
    elif _serves(context, before, record, trouble):
        return None, None
    state = f"at version {kept.record.version} ({kept.record.phase.value})" if kept else "without a rollout yet"
    return f"waits for target {before.name}, which is {state}", None


def _serves(context: Context, target: Target, record: Record, trouble: list[str]) -> bool:
    """Whether the target has the version in full already, by whatever hand."""
    identity = endpoint_id(target, endpoint_name(target, record.model))
    try:
        endpoint = context.at(identity).read(identity)
        if endpoint is None or len(endpoint.traffic) != 1:
            return False
        live = next(iter(endpoint.traffic))
        models = {one.name: one.model for one in context.at(identity).deployments(identity)}
    except CloudError as error:
        trouble.append(str(error))
        return False
    serving = models.get(live, "")
    return model_name(serving) == record.model and serving.rstrip("/").endswith(f"/{record.version}")
