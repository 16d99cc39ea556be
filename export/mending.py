"""What JSON may hold and no file of text can: lone surrogates are spelled out, and nesting has an end.

A client may send the escape of half a surrogate pair, which is valid JSON (RFC 8259, section 8.2) and no Unicode text.
It is written as its own escape, so that the value stays readable and two different ones stay different.
"""

from __future__ import annotations

from typing import Any

DEEPEST = 100
"""Levels of nesting. Python's own limit depends on who calls, so a line could be read and then not written."""


def mended(value: Any, deepest: int = DEEPEST) -> Any:
    """The JSON value, equal to itself unless it had lone surrogates; ValueError when it cannot be written anyway."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if not isinstance(value, dict | list):
        return value
    if deepest == 0:
        raise ValueError(f"nested deeper than {DEEPEST} levels")
    if isinstance(value, list):
        return [mended(item, deepest - 1) for item in value]
    whole = {mended(name): mended(item, deepest - 1) for name, item in value.items()}
    if len(whole) < len(value):
        raise ValueError("two names are the same once their lone surrogates are spelled out")
    return whole
