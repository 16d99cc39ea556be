"""Requests that Understudy sends itself: what a smoke test expects of the answers, and load for quiet endpoints."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from policy.section import FILLED, Section, Text, Whole, refuse


class Expect(Section):
    """What every answer to a smoke request must be."""

    status: Annotated[Whole, Field(ge=100, le=599)] = Field(default=200, description="HTTP status of every answer.")
    schema_: dict[str, Any] | None = Field(
        default=None, alias="schema", description="JSON Schema that every answer must fit; left out: any JSON."
    )
    values: tuple[Any, ...] = Field(
        default=(),
        description="Expected answers, one per request in their order; numbers within `gates.agreement.tolerance`.",
    )

    @field_validator("schema_")
    @classmethod
    def _is_a_schema(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value is not None:
            from jsonschema.exceptions import SchemaError
            from jsonschema.validators import Draft202012Validator, validator_for

            try:
                validator_for(value, default=Draft202012Validator).check_schema(value)
            except SchemaError as wrong:
                refuse(f"is not a JSON Schema: {wrong.message}", at=tuple(wrong.path))
        return value


class Load(Section):
    """Recorded requests sent as load, marked as such, to an endpoint too quiet to judge a version on."""

    requests: Annotated[tuple[Any, ...], FILLED] | None = Field(
        default=None, description="Bodies to send in turn, each as JSON."
    )
    requests_from: Text | None = Field(
        default=None,
        description="Their file: azureml:// path, blob, or name beside the policies; JSON lines or a list.",
    )
    per_minute: Annotated[Whole, Field(ge=1, le=600)] = Field(default=60, description="Requests sent in a minute.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.requests is None) == (self.requests_from is None):
            refuse("needs `requests` or `requests_from`, and only one of them")
        return self
