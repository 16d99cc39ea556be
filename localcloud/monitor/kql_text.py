"""KQL as a list of tokens: enough to cut a query at its top-level `;` and `|` and to rewrite calls, never a parser.

Strings and comments are single tokens, so that nothing inside them is ever cut or rewritten. Joining the tokens of a
query gives its text back, character for character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_TOKEN = re.compile(
    r"""
      //[^\n]*                                   # comment
    | ```.*?``` | ~~~.*?~~~                      # multi-line string
    | [hH]?@"(?:[^"]|"")*" | [hH]?@'(?:[^']|'')*'   # verbatim string
    | [hH]?"(?:\\.|[^"\\])*" | [hH]?'(?:\\.|[^'\\])*'
    | \s+
    | (?:datetime|timespan|time|guid|int|long|real|decimal|bool)\([^()"']*\)   # a literal such as datetime(2026-01-01)
    | [A-Za-z_][A-Za-z0-9_]*
    | .
    """,
    re.VERBOSE | re.DOTALL,
)
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")


def tokens(text: str) -> list[str]:
    """The tokens of a query; `"".join(tokens(text)) == text`."""
    return _TOKEN.findall(text)


def is_code(token: str) -> bool:
    """Whether a token is neither white space nor a comment."""
    return bool(token.strip()) and not token.startswith("//")


def split(items: Iterable[str], separator: str) -> list[list[str]]:
    """Cut a token list at every `separator` that stands outside all brackets."""
    parts: list[list[str]] = [[]]
    depth = 0
    for token in items:
        depth += (token in _OPEN) - (token in _CLOSE)
        if token == separator and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def call_end(items: list[str], opening: int) -> int:
    """The index of the bracket that closes the one at `opening`; ValueError when it is never closed."""
    depth = 0
    for index in range(opening, len(items)):
        depth += (items[index] in _OPEN) - (items[index] in _CLOSE)
        if depth == 0:
            return index
    raise ValueError("a bracket is never closed")


def next_code(items: list[str], start: int) -> int:
    """The index of the first token at or after `start` that is code; `len(items)` when there is none."""
    while start < len(items) and not is_code(items[start]):
        start += 1
    return start


def code(items: Iterable[str]) -> list[str]:
    """Only the tokens that are code."""
    return [token for token in items if is_code(token)]


def unquote(literal: str) -> str:
    """The value of a plain or verbatim string literal."""
    text = literal.lstrip("hH")
    if text.startswith("@"):
        return text[2:-1].replace(text[1] * 2, text[1])
    return re.sub(r"\\(.)", lambda match: {"n": "\n", "t": "\t", "r": "\r"}.get(match[1], match[1]), text[1:-1])
