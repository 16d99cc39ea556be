"""Names and ids that a policy may hold, by Azure's rules and by ours, each refused with the rule it breaks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from policy.section import refuse

MODEL: Final = "{model}"
"""What an endpoint's name may hold to mean the model's name."""
_ENDPOINT = re.compile(r"[A-Za-z](-?[A-Za-z0-9])+")
_SEGMENT_RULE: Final = (
    "use only a-z, 0-9 and single dashes inside, at most 64 characters: it becomes part of URLs and blob names"
)
ENDPOINT_RULE: Final = "Azure wants 3 to 32 letters, digits and single dashes inside, starting with a letter"


@dataclass(frozen=True)
class _Rule:
    """A pattern for the whole text, in the JSON Schema as well, with the words for those who break it."""

    pattern: str
    words: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(core), "pattern": f"^{self.pattern}$"}

    def _check(self, value: str) -> str:
        if not re.fullmatch(self.pattern, value):
            refuse(f"{value!r} is not allowed here: {self.words}")
        return value


def valid_endpoint(name: str) -> bool:
    """Whether Azure would take `name` for an online endpoint or a deployment."""
    return 3 <= len(name) <= 32 and _ENDPOINT.fullmatch(name) is not None


def _endpoint(value: str) -> str:
    # A short model name stands in for {model}, so that only what the user wrote around it is judged.
    example = value.replace(MODEL, "mmm")
    if "{" in example or "}" in example:
        refuse(f"{value!r}: only {MODEL} may stand in braces")
    if not valid_endpoint(example):
        refuse(f"{value!r} cannot name an endpoint: {ENDPOINT_RULE}")
    return value


_Plain = Annotated[str, Field(strict=True)]
_GUID: Final = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

Segment = Annotated[_Plain, _Rule(r"(?=.{1,64}$)[a-z0-9]+(-[a-z0-9]+)*", _SEGMENT_RULE)]
Endpoint = Annotated[_Plain, AfterValidator(_endpoint)]
ModelName = Annotated[
    _Plain,
    _Rule(
        r"[A-Za-z0-9*?][A-Za-z0-9._*?-]{0,254}",
        "a model's name has letters, digits, `.`, `_` and `-`; `*` stands for any characters and `?` for one",
    ),
]
Registry = Annotated[_Plain, _Rule(r"[A-Za-z0-9][A-Za-z0-9_-]{1,32}", "it must be a registry's name, not its URL")]
Workspace = Annotated[_Plain, _Rule(r"[A-Za-z0-9][A-Za-z0-9_-]{1,32}", "it must be a workspace's name, not its id")]
ResourceGroup = Annotated[_Plain, _Rule(r"[\w.()-]{0,89}[\w()-]", "it must be a resource group's name, not its id")]
Uuid = Annotated[_Plain, _Rule(_GUID, "it must be a GUID such as 00000000-0000-0000-0000-000000000001")]
