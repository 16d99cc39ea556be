"""What is released and where: the model that is watched, and the endpoints it goes to."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from policy.durations import Duration
from policy.names import MODEL, Endpoint, ModelName, Registry, ResourceGroup, Segment, Uuid, Workspace
from policy.overrides import Overrides
from policy.section import FILLED, Section, Text, refuse


class ModelSelector(Section):
    """Which registered versions are rolled out."""

    name: ModelName = Field(description="Name of the model. `*` makes it many: then endpoint must hold `{model}`.")
    registry: Registry | None = Field(
        default=None, description="Registry that holds it; left out: the target's workspace."
    )
    require_tags: dict[str, Annotated[str, Field(strict=True)]] = Field(
        default={}, description="Only versions with these tags; taking a tag off rolls back."
    )

    @property
    def is_wildcard(self) -> bool:
        """Whether the name may stand for more than one model."""
        return "*" in self.name or "?" in self.name


class Target(Overrides):
    """One endpoint, or with `{model}` one per model. Endpoints are never created by Understudy."""

    name: Segment = Field(description="Unique in the policy; part of URLs and blob names.")
    subscription_id: Uuid = Field(description="Subscription of the workspace.")
    resource_group: ResourceGroup = Field(description="Resource group of the workspace.")
    workspace: Workspace = Field(description="Azure Machine Learning workspace of the endpoint.")
    endpoint: Endpoint = Field(
        description="Managed online endpoint, or batch endpoint; `{model}` is the model's name with `_`, `.` as dashes."
    )
    kind: Literal["online", "batch"] = Field(default="online", description="What kind of endpoint it is.")
    log_analytics_workspace_id: Uuid | None = Field(
        default=None,
        description="Workspace (its customer id) to which the endpoint's diagnostic settings send its logs.",
    )
    soak: Duration = Field(
        default=timedelta(), description="How long after the target before is done with a version this one starts it."
    )
    sample: Text | None = Field(
        default=None, description="azureml:// path of the input on which batch deployments are tried; batch needs it."
    )

    @model_validator(mode="after")
    def _batch_has_a_sample(self) -> Self:
        if self.kind == "batch" and self.sample is None:
            refuse("a batch target needs `sample`: the input on which the new version is tried", at=("kind",))
        if self.kind == "online" and self.sample is not None:
            refuse("belongs to targets of `kind: batch`; online endpoints are tried with a smoke step", at=("sample",))
        return self


def _distinct(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    names: dict[str, int] = {}
    endpoints: dict[tuple[str, ...], int] = {}
    for index, target in enumerate(targets):
        if (first := names.setdefault(target.name, index)) != index:
            refuse(f"{target.name!r} is also the name of targets[{first}]: names are unique", at=(index, "name"))
        place = tuple(
            part.lower()
            for part in (
                target.subscription_id, target.resource_group, target.workspace, target.kind, target.endpoint
            )
        )  # fmt: skip
        if (first := endpoints.setdefault(place, index)) != index:
            refuse(f"is the same endpoint as that of targets[{first}]", at=(index, "endpoint"))
    return targets


Targets = Annotated[tuple[Target, ...], FILLED, AfterValidator(_distinct)]

__all__ = ["MODEL", "ModelSelector", "Target", "Targets"]
