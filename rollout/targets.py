"""Targets are released in order: whether the one before is done with the version."""

from __future__ import annotations

from datetime import datetime, timedelta

from cloud.errors import CloudError
from policy.durations import lasting
from policy.match import endpoint_id, endpoint_name
from policy.model import Policy, Target
from rollout.context import Context
from rollout.model_ids import model_name
from rollout.phases import Phase
from rollout.record import Record, Tried


def earlier_target(
    context: Context, policy: Policy, target: Target, record: Record | None, trouble: list[str]
) -> tuple[str | None, str | None]:
    """(why to wait for the target before this one, why to give up because of it); both None: go on."""
    index = [one.name for one in policy.targets].index(target.name)
    begins = record is not None and record.phase is Phase.DEPLOYING and record.kind == "rollout"
    if record is None or not begins or index == 0:
        return None, None
    before = policy.targets[index - 1]
    kept = context.store.load(policy.name, before.name, endpoint_name(before, record.model).lower())
    earlier = kept.record if kept is not None else None
    serves = (earlier is None or earlier.version != record.version) and _serves(context, before, record, trouble)
    return its_turn(target, before.name, earlier, record, context.clock(), serves=serves)


def its_turn(
    target: Target, before: str, earlier: Record | None, record: Record, now: datetime, *, serves: bool | None
) -> tuple[str | None, str | None]:
    """The same, from what is known of the target `before`: its own record, or that it `serves` the version anyhow
    (None: that could not be read).

    The soak is counted from when the target before was done; where it got the version by other hands, which nobody
    timed, from when this rollout began.
    """
    version = record.version
    same = earlier if earlier is not None and earlier.version == version else None
    if same is not None and same.terminal and same.phase is not Phase.DONE:
        ended = f"{same.phase.value}: {'; '.join(same.reasons)}"
        return None, f"target {before} ended without version {version} ({ended})"
    if serves or (same is not None and same.phase is Phase.DONE):
        left = (same.entered if same is not None else record.started) + target.soak - now
        if left <= timedelta():
            return None, None
        return (
            f"soaks: version {version} is live at target {before}, {lasting(left)} more to be seen",
            None,
        )
    if serves is False and earlier is not None and earlier.terminal and _left_behind(earlier, record):
        ended = f"went on to version {earlier.version} ({earlier.phase.value})"
        return None, f"target {before} {ended}; version {version} is not live there any more"
    state = f"at version {earlier.version} ({earlier.phase.value})" if earlier is not None else "without a rollout yet"
    return f"waits for target {before}, which is {state}", None


def _left_behind(earlier: Record, record: Record) -> bool:
    """Whether the target before had its turn with the version, or with a newer one: it will not come back to it."""
    tried = Tried(record.version, record.model_created) in earlier.tried
    return tried or (earlier.phase is Phase.DONE and earlier.model_created > record.model_created)


def _serves(context: Context, target: Target, record: Record, trouble: list[str]) -> bool | None:
    """Whether the target has the version in full already, by whatever hand; None when it could not be read."""
    identity = endpoint_id(target, endpoint_name(target, record.model))
    try:
        endpoint = context.at(identity).read(identity)
        if endpoint is None or len(endpoint.traffic) != 1:
            return False
        live = next(iter(endpoint.traffic))
        models = {one.name: one.model for one in context.at(identity).deployments(identity)}
    except CloudError as error:
        trouble.append(str(error))
        return None
    serving = models.get(live, "")
    return model_name(serving) == record.model and serving.rstrip("/").endswith(f"/{record.version}")
