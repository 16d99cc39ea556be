"""The deployments that are made: what is laid over the live one's body, and what becomes of those that failed."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from policy.durations import Duration, Period
from policy.section import Section, Text, Whole, refuse

LONGEST_REQUEST = timedelta(seconds=180)
"""Azure's limit for a managed online deployment's request timeout."""


class Code(Section):
    """Code for a model that is not MLflow."""

    path: Text = Field(description="azureml:// path of the code asset.")
    scoring_script: Text = Field(description="File in it with init() and run().")


def _within_azures_limit(value: timedelta) -> timedelta:
    if value > LONGEST_REQUEST:
        refuse("is longer than 180s, Azure's limit for a request")
    return value


class BatchSettings(Section):
    """What batch deployments have beside the rest; `compute` is all that a first one of an MLflow model needs."""

    compute: Text | None = Field(default=None, description="Compute cluster of the workspace, by name or ARM id.")
    mini_batch_size: Annotated[Whole, Field(ge=1)] | None = Field(
        default=None, description="Files that one call of the scoring script gets."
    )
    max_concurrency_per_instance: Annotated[Whole, Field(ge=1)] | None = Field(
        default=None, description="Mini batches that one machine scores at a time."
    )
    error_threshold: Annotated[Whole, Field(ge=-1)] | None = Field(
        default=None, description="Files that may fail before a job does; -1: any. Jobs on the sample allow none."
    )
    max_retries: Annotated[Whole, Field(ge=0)] | None = Field(
        default=None, description="How often a mini batch that failed is tried again."
    )
    mini_batch_timeout: Period | None = Field(default=None, description="Longest time for one mini batch.")
    sample_within: Period = Field(
        default=timedelta(hours=1), description="Longest time for a job on the sample, its wait for a machine included."
    )


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
    batch: BatchSettings = Field(default=BatchSettings(), description="For batch endpoints only.")


class Failed(Section):
    """What becomes of a candidate that failed."""

    keep: Duration = Field(
        default=timedelta(hours=24),
        description="How long it stays (and costs); its logs are saved, then it is deleted.",
    )
