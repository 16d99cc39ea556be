"""Are there versions of the model that the policy would roll out, where it says they are?"""

from __future__ import annotations

from cloud.errors import CloudError
from cloud.models import ModelVersion
from rollout.doctor import mend
from rollout.doctor.case import Case
from rollout.doctor.finding import Check, bad, doubtful, good
from rollout.observation import VersionSeen
from rollout.versions import model_place


def versions(case: Case) -> tuple[tuple[Check, ...], VersionSeen | None]:
    """The check, and the version that would be rolled out."""
    registry = case.policy.model.registry
    where = f"registry {registry}" if registry else f"workspace {case.target.workspace}"
    give = (
        mend.registry(case.caller, registry) if registry else mend.role(case.caller, mend.SCIENTIST, case.workspace_id)
    )
    try:
        home = model_place(case.policy, case.target)
        found = case.context.models.versions(home, case.model)
        if not found:
            case.context.models.names(home)  # a registry that is not there has no versions either: only this tells
    except CloudError as error:
        return (bad("model", f"{where} cannot be read: {error}", give),), None
    required = case.policy.model.require_tags
    eligible = [one for one in found if all(one.tags.get(key) == value for key, value in required.items())]
    if eligible:
        newest = eligible[0]
        many = f"{len(found)} version{'s' if len(found) != 1 else ''}"
        text = f"{many} of {case.model} in {where}; version {newest.version} would be rolled out"
        return (good("model", text),), VersionSeen(newest.version, newest.id, newest.created)
    return (_none(case, where, found),), None


def _none(case: Case, where: str, found: tuple[ModelVersion, ...]) -> Check:
    required = dict(case.policy.model.require_tags)
    if not found:
        return doubtful("model", f"no version of {case.model} in {where} yet: the first one that is registered starts")
    tags = ", ".join(f"{key}={value}" for key, value in required.items())
    text = f"none of {len(found)} versions of {case.model} in {where} has the tags {tags}"
    return doubtful(
        "model",
        text,
        mend.model_tag(case.target, case.policy.model.registry, case.model, found[0].version, required),
    )
