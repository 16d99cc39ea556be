"""Names and ids that a policy may hold, by Azure's rules and by ours, each refused with the rule it breaks."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from policy.section import refuse

MODEL: Final = "{model}"
"""What an endpoint's name may hold to mean the model's name."""
_ENDPOINT = re.compile(r"[A-Za-z](-?[A-Za-z0-9]){2,31}")
_SEGMENT_RULE: Final = (
    "use only a-z, 0-9 and single dashes inside, at most 64 characters: it becomes part of URLs and blob names"
)
_ENDPOINT_RULE: Final = "Azure wants 3 to 32 letters, digits and single dashes inside, starting with a letter"


def _matching(pattern: str, rule: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            refuse(f"{value!r} is not allowed here: {rule}")
        return value

    return AfterValidator(check)


def valid_endpoint(name: str) -> bool:
    """Whether Azure would take `name` for an online endpoint or a deployment."""
    return len(name) <= 32 and _ENDPOINT.fullmatch(name) is not None


def _endpoint(value: str) -> str:
    # The shortest model name stands in for {model}, so that only what the user wrote around it is judged.
    shortest = value.replace(MODEL, "mmm" if value == MODEL else "m")
    if "{" in shortest or "}" in shortest:
        refuse(f"{value!r}: only {MODEL} may stand in braces")
    if not valid_endpoint(shortest):
        refuse(f"{value!r} cannot name an endpoint: {_ENDPOINT_RULE}")
    return value


_Plain = Annotated[str, Field(strict=True)]
_UUID: Final = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

Segment = Annotated[_Plain, _matching(r"(?=.{1,64}$)[a-z0-9]+(-[a-z0-9]+)*", _SEGMENT_RULE)]
Endpoint = Annotated[_Plain, AfterValidator(_endpoint)]
ModelName = Annotated[
    _Plain,
    _matching(
        r"[A-Za-z0-9*?][A-Za-z0-9._*?-]{0,254}",
        "a model's name has letters, digits, `.`, `_` and `-`; `*` stands for any characters and `?` for one",
    ),
]
Registry = Annotated[_Plain, _matching(r"[A-Za-z0-9][A-Za-z0-9_-]{1,32}", "it must be a registry's name, not its URL")]
Workspace = Annotated[_Plain, _matching(r"[A-Za-z0-9][A-Za-z0-9_-]{1,32}", "it must be a workspace's name, not its id")]
ResourceGroup = Annotated[_Plain, _matching(r"[\w.()-]{0,89}[\w()-]", "it must be a resource group's name, not its id")]
Uuid = Annotated[_Plain, _matching(_UUID, "it must be a GUID such as 00000000-0000-0000-0000-000000000001")]
