"""What is released and where: the model that is watched, the endpoints it goes to, the deployments that are made."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from policy.durations import Duration, Period
from policy.names import MODEL, Endpoint, ModelName, Registry, ResourceGroup, Segment, Uuid, Workspace
from policy.section import FILLED, Section, Text, Whole, refuse

LONGEST_REQUEST = timedelta(seconds=180)
"""Azure's limit for a managed online deployment's request timeout."""


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


class Target(Section):
    """One endpoint, or with `{model}` one per model. Endpoints are never created by Understudy."""

    name: Segment = Field(description="Unique in the policy; part of URLs and blob names.")
    subscription_id: Uuid = Field(description="Subscription of the workspace.")
    resource_group: ResourceGroup = Field(description="Resource group of the workspace.")
    workspace: Workspace = Field(description="Azure Machine Learning workspace of the endpoint.")
    endpoint: Endpoint = Field(
        description="Managed online endpoint; `{model}` is the model's name with `_` and `.` as dashes."
    )
    log_analytics_workspace_id: Uuid | None = Field(
        default=None,
        description="Workspace (its customer id) to which the endpoint's diagnostic settings send its logs.",
    )


class Code(Section):
    """Code for a model that is not MLflow."""

    path: Text = Field(description="azureml:// path of the code asset.")
    scoring_script: Text = Field(description="File in it with init() and run().")


def _within_azures_limit(value: timedelta) -> timedelta:
    if value > LONGEST_REQUEST:
        refuse("is longer than 180s, Azure's limit for a request")
    return value


class DeploymentSettings(Section):
    """Laid over a copy of the live deployment's own body; the whole body for the first version on an endpoint."""

    instance_type: Text | None = Field(default=None, description="Virtual machine size, such as Standard_F2s_v2.")
    instance_count: Annotated[Whole, Field(ge=1)] | None = Field(default=None, description="Number of machines.")
    environment: Text | None = Field(
        default=None, description="azureml:// id of the environment; not for MLflow models."
    )
    code: Code | None = Field(default=None, description="Scoring code; not for MLflow models.")
    environment_variables: dict[str, Annotated[str, Field(strict=True)]] = Field(
        default={}, description="Added to those of the live deployment."
    )
    request_timeout: Annotated[Period, AfterValidator(_within_azures_limit)] | None = Field(
        default=None, description="Longest time for one request, at most 180s."
    )
    max_concurrent_requests_per_instance: Annotated[Whole, Field(ge=1)] | None = Field(
        default=None,
        description="Requests one machine works on at a time; Azure's default is 1, and answers 429 above twice that.",
    )


class Failed(Section):
    """What becomes of a candidate that failed."""

    keep: Duration = Field(
        default=timedelta(hours=24),
        description="How long it stays (and costs); its logs are saved, then it is deleted.",
    )


def _distinct(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    names: dict[str, int] = {}
    endpoints: dict[tuple[str, ...], int] = {}
    for index, target in enumerate(targets):
        if (first := names.setdefault(target.name, index)) != index:
            refuse(f"{target.name!r} is also the name of targets[{first}]: names are unique", at=(index, "name"))
        place = tuple(
            part.lower() for part in (target.subscription_id, target.resource_group, target.workspace, target.endpoint)
        )
        if (first := endpoints.setdefault(place, index)) != index:
            refuse(f"is the same endpoint as that of targets[{first}]", at=(index, "endpoint"))
    return targets


Targets = Annotated[tuple[Target, ...], FILLED, AfterValidator(_distinct)]

__all__ = ["MODEL", "Code", "DeploymentSettings", "Failed", "ModelSelector", "Target", "Targets"]
