"""The JSON Schema of policy files, for editors. It knows keys, types, ranges and words, but not the rules that join
parts (order of steps, `drift` needs `export`): those are told by `python -m policy check`."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from policy.durations import written
from policy.model import Policy

FILE: Final = Path(__file__).with_name("schema.json")
"""The committed schema; a test says when it is out of date."""


class _Generator(GenerateJsonSchema):
    """Keys in the order of the model, defaults as a policy has them, no titles that only repeat the key."""

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:  # noqa: ARG002
        return value

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def encode_default(self, dft: Any) -> Any:
        return written(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a policy file, made from the model."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Understudy policy",
        **{
            key: value for key, value in Policy.model_json_schema(schema_generator=_Generator).items() if key != "title"
        },
    }


def text() -> str:
    """The schema as it is committed."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
