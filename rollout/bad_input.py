"""What is said to somebody whose event, alert or command cannot be read."""

from __future__ import annotations

import json
from typing import Any


class BadInput(ValueError):
    """`field` is the path of what is wrong; `message` says what is wrong and what was expected."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field, self.message = field, message


def parsed(raw: bytes | str) -> dict[str, Any]:
    """The JSON object in `raw`; BadInput when it is anything else."""
    try:
        value = json.loads(raw)
        # A lone surrogate is valid JSON and no valid text: it could be neither stored nor shown.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise BadInput("body", f"is not JSON that can be read: {error}") from None
    if not isinstance(value, dict):
        raise BadInput("body", f"must be a JSON object, not {type(value).__name__}")
    return value


def text_at(value: dict[str, Any], name: str, path: str, *, longest: int = 512) -> str:
    """The text under `name`; BadInput names `path` when it is missing, empty, too long or no text."""
    found = value.get(name)
    if found is not None and not isinstance(found, str):
        raise BadInput(path, f"is {json.dumps(found)[:40]}: give a text")
    if found is None or not found.strip():
        raise BadInput(path, "is missing: give a text")
    if len(found) > longest:
        raise BadInput(path, f"is longer than {longest} characters")
    return found
