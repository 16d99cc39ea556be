"""What a target says in its own words instead of the policy's: the keys that it may override, and the laying over.

`gates` and `deployment` are merged key by key, since they are lists of independent settings; everything else replaces
the policy's as a whole, because half of a list of steps or alerts is not what anybody meant.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, FieldSerializationInfo, field_serializer

from policy.deployment import DeploymentSettings, Failed
from policy.freezes import Freezes
from policy.gates import Gates
from policy.hooks import Hooks
from policy.section import Flag, Section, Whole
from policy.steps import Steps
from policy.watching import Alerts

Mode = Literal["act", "observe"]
OnNewVersion = Literal["supersede", "queue", "ignore"]
ForeignChange = Literal["hold", "restore"]
_INSTEAD = "Instead of the policy's, on this target."
_OVER = "Laid over the policy's key by key, on this target."
MERGED = ("gates", "deployment")
REPLACED = ("steps", "failed", "alerts", "freeze", "hooks", "mode", "on_new_version", "adopt", "keep", "foreign_change")


class Overrides(Section):
    """The keys of a policy that a target may have for itself."""

    deployment: DeploymentSettings | None = Field(default=None, description=_OVER)
    steps: Steps | None = Field(default=None, description=_INSTEAD)
    failed: Failed | None = Field(default=None, description=_INSTEAD)
    gates: Gates | None = Field(default=None, description=_OVER)
    alerts: Alerts | None = Field(default=None, description=_INSTEAD)
    freeze: Freezes | None = Field(default=None, description=_INSTEAD)
    hooks: Hooks | None = Field(default=None, description=_INSTEAD)
    mode: Mode | None = Field(default=None, description=_INSTEAD)
    on_new_version: OnNewVersion | None = Field(default=None, description=_INSTEAD)
    adopt: Flag | None = Field(default=None, description=_INSTEAD)
    keep: Annotated[Whole, Field(ge=0)] | None = Field(default=None, description=_INSTEAD)
    foreign_change: ForeignChange | None = Field(default=None, description=_INSTEAD)

    @field_serializer(*MERGED)
    def _as_written(self, value: Section | None, info: FieldSerializationInfo) -> Any:
        # A default that nobody wrote would override the policy's when it is read again.
        return None if value is None else value.model_dump(mode=info.mode, exclude_unset=True)


def laid_over(own: dict[str, Any], overrides: Overrides) -> dict[str, Any]:
    """What becomes of a policy's own values (by key) under a target's overrides: the changed ones only."""
    changed = {key: value for key in REPLACED if (value := getattr(overrides, key)) is not None}
    for key in MERGED:
        over: Section | None = getattr(overrides, key)
        if over is not None:
            changed[key] = _merged(own[key], over)
    return changed


def _merged(own: Section, over: Section) -> Section:
    said = {key: getattr(over, key) for key in over.model_fields_set}
    if "environment_variables" in said:
        # Variables add to those below them, here as over the live deployment's.
        said["environment_variables"] = {**dict(own)["environment_variables"], **said["environment_variables"]}
    return own.model_copy(update=said)
