"""Whether an answer to a smoke request is what the policy expects. Pure.

What is told of an answer is short and capped: it may hold customers' data, and it ends up in records and logs.
"""

from __future__ import annotations

import json
import math
from typing import Any

from policy.model import Expect

EXCERPT = 80
"""Characters of an answer, or of a value in it, that a message shows at most."""
MISSING = object()


def problem(expect: Expect, value: Any, status: int, body: str, *, tolerance: float) -> str:
    """What is wrong with an answer, or nothing. `value` is the expected answer, or MISSING where any will do."""
    if status != expect.status:
        return f"expected status {expect.status}, came {status}: {excerpt(body)}"
    wants_json = status < 300 or expect.schema_ is not None or value is not MISSING
    if not wants_json:
        return ""
    try:
        answer = json.loads(body)
    except ValueError:
        return f"expected JSON, came {excerpt(body)}"
    wrong = _misfit(expect.schema_, answer)
    if not wrong and value is not MISSING:
        wrong = differs(value, answer, tolerance)
    return wrong


def excerpt(value: Any) -> str:
    """A short piece of an answer, on one line."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT else f"{line[:EXCERPT]}..."


def differs(expected: Any, actual: Any, tolerance: float, at: str = "$") -> str:
    """Where an answer is not the expected one, or nothing.

    Numbers are alike within `tolerance` times max(1, |expected|), as the agreement gate takes them. An object may have
    more keys than expected: a version or an id of its own does no harm.
    """
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key, value in expected.items():
            if key not in actual:
                return f"at {at}.{key}: expected {excerpt(value)}, came nothing"
            if found := differs(value, actual[key], tolerance, f"{at}.{key}"):
                return found
        return ""
    if isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            return f"at {at}: expected {len(expected)} items, came {len(actual)}"
        pairs = enumerate(zip(expected, actual, strict=True))
        return next(filter(None, (differs(*pair, tolerance, f"{at}[{number}]") for number, pair in pairs)), "")
    if _same(expected, actual, tolerance):
        return ""
    return f"at {at}: expected {excerpt(expected)}, came {excerpt(actual)}"


def _same(expected: Any, actual: Any, tolerance: float) -> bool:
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (expected, actual))
    if not numbers:
        return type(expected) is type(actual) and bool(expected == actual)
    # Written so that NaN, which compares false with everything, is never the same as a number.
    return math.isfinite(actual) and abs(expected - actual) <= tolerance * max(1.0, abs(expected))


def _misfit(schema: dict[str, Any] | None, answer: Any) -> str:
    """Where an answer does not fit a JSON Schema. The words are the schema's, with a short piece of the answer."""
    if schema is None:
        return ""
    from jsonschema.exceptions import best_match
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    # An empty registry: what a schema refers to is never fetched from somewhere else.
    validator = validator_for(schema, Draft202012Validator)(schema, registry=Registry())
    try:
        found = best_match(validator.iter_errors(answer))
    except Unresolvable as error:
        return f"`expect.schema` refers to {excerpt(error.ref)}, which is not in it"
    if found is None:
        return ""
    rule = excerpt(found.validator_value)
    return f"at {found.json_path}: expected {found.validator} {rule}, came {excerpt(found.instance)}"
