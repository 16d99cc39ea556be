"""Which row of the request table (facts/azureml-wire.md, section 2) each test is of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Test = TypeVar("Test", bound=Callable[..., Any])

rows: dict[str, str] = {}
"""A row's first cell -> the test that makes this call with the real SDK."""


def row(call: str) -> Callable[[Test], Test]:
    """Says that the test makes the calls of this row; each row has one test."""

    def mark(test: Test) -> Test:
        assert call not in rows, f"{rows[call]} is the test of {call!r} already"
        rows[call] = test.__name__
        return test

    return mark
