"""From the text of a policy file to a `Policy`, or to every problem it has.

The shape, the values and the rules are checked in one pass each over what could be read, so that a file is mended in
one round. Nothing but PolicyError is ever raised, whatever the text.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from policy.document import Document, read
from policy.model import Policy
from policy.problems import PolicyError, Problem
from policy.rules import broken

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


KEPT: Final = 256
"""Policies that are not read again, for each look and each row of a list needs one: reading takes about 10 ms."""


def load(text: str | bytes, source: str, *, rules: bool = True) -> Policy:
    """The policy in `text`; `source` is what problems call it, such as the file's or the blob's name.

    `rules` False: for a text that was loaded before, and serves a rollout in flight whatever is asked of new ones.
    """
    return _loaded(text, source, rules)


@lru_cache(maxsize=KEPT)
def _loaded(text: str | bytes, source: str, rules: bool) -> Policy:
    return _checked(read(text, source), rules=rules)


def examine(text: str | bytes, source: str) -> tuple[Policy, tuple[Problem, ...]]:
    """The policy in `text`, and what is legal in it but seldom meant."""
    from policy.advice import advice

    document = read(text, source)
    policy = _checked(document, rules=True)
    for path, message in advice(policy):
        document.refuse(path, document.place(path), f"warning: {message}")
    return policy, tuple(sorted(document.problems))


def _checked(document: Document, *, rules: bool) -> Policy:
    if not isinstance(document.content, dict):
        _refuse_root(document)
    try:
        policy = Policy.model_validate(document.content)
    except ValidationError as wrong:
        raise PolicyError([*document.problems, *_explained(document, wrong.errors(include_url=False))]) from None
    for path, message in broken(policy) if rules else ():
        document.refuse(path, document.place(path), message)
    if document.problems:
        raise PolicyError(document.problems)
    return policy


def _explained(document: Document, errors: list[ErrorDetails]) -> list[Problem]:
    from policy.explain import explain

    found = explain(document, errors, Policy.model_json_schema())
    # What could not be read is None by now, and None where a value is due would be told a second time.
    told = {(problem.line, problem.column) for problem in document.problems}
    return [problem for problem in found if (problem.line, problem.column) not in told]


def _refuse_root(document: Document) -> None:
    if document.problems:
        raise PolicyError(document.problems)
    place = document.values[()]
    found = "a list" if isinstance(document.content, list) else "a single value"
    message = f"a policy is a mapping (`name: ...`, `model: ...`), and this is {found}"
    raise PolicyError([Problem(document.source, place.line, place.column, "", message)])


__all__ = ["PolicyError", "Problem", "examine", "load"]
