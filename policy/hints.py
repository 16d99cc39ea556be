"""What somebody probably meant by a value of the wrong type: what to write instead, or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

_TRUE, _FALSE = ("true", "yes", "on", "y"), ("false", "no", "off", "n")


def instead(value: Any, wanted: str, schemas: Sequence[Json]) -> str:
    """What to write; `schemas` are the JSON Schemas of which one should have taken the value."""
    if wanted == "text":
        return _as_text(value)
    if wanted == "true or false" and isinstance(value, str):
        word = value.strip().lower()
        return "true" if word in _TRUE else "false" if word in _FALSE else ""
    if wanted == "a whole number":
        return _as_number(value, whole=True)
    if wanted == "a number":
        return _as_number(value, whole=False)
    if isinstance(value, (Mapping, list)):
        return ""
    if wanted.startswith("a list"):
        return f"[{value}]" if isinstance(value, str) and _plain(value) else ""
    return _as_section(value, schemas)


def _plain(text: str) -> bool:
    """Whether a text needs no quotes in a list of YAML."""
    return text.replace("-", "").replace("_", "").isalnum()


def _as_text(value: Any) -> str:
    """Braces without quotes are a mapping, and a number or `true` is no text either."""
    if isinstance(value, Mapping) and list(value.values()) == [None]:
        return f'"{{{next(iter(value))}}}", in quotes'
    if isinstance(value, bool):
        return f'"{str(value).lower()}", in quotes'
    return f'"{value}", in quotes' if isinstance(value, (int, float)) else ""


def _as_number(value: Any, *, whole: bool) -> str:
    """A number in quotes, or with a percent sign: of a whole number the percents, of another the share."""
    if not isinstance(value, str):
        return ""
    text, percent = value.strip().removesuffix("%").strip(), value.strip().endswith("%")
    try:
        number = float(text) / (100 if percent and not whole else 1)
    except ValueError:
        return ""
    return f"{number:g}" if not whole or number.is_integer() else ""


def _as_section(value: Any, schemas: Sequence[Json]) -> str:
    """For a mapping: `null` where somebody turned it off; its one key where the value alone was given."""
    if value is False:
        return "null to turn it off" if any(one.get("type") == "null" for one in schemas) else ""
    for one in schemas:
        keys = one.get("required") or list(one.get("properties", {}))
        if len(keys) == 1:
            return f"{{{keys[0]}: {value}}}"
    return ""
