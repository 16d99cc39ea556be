"""A YAML text as plain values, with the place of each: YAML 1.2, one document, no surprises.

ruamel.yaml is used for its parser only. The values are built here, because a constructor that makes dates of strings,
merges keys, runs tags or lets the second of two equal keys win is what makes configuration lie. An alias may be used,
but the whole may not grow beyond `MOST_NODES`, so that a short text cannot fill the memory.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from policy.problems import PolicyError, Problem

MOST_BYTES: Final = 256 * 1024
MOST_NODES: Final = 20_000
Path = tuple[str | int, ...]
_TAG: Final = "tag:yaml.org,2002:"
_NO_FLOAT: Final = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}
_UNREADABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Place:
    """Where something starts in the text; counts from 1."""

    line: int
    column: int


@dataclass
class Document:
    """What was read. `keys` and `values` give the place of every mapping key and of every value by its path."""

    source: str
    content: Any = None
    keys: dict[Path, Place] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: Path) -> Place:
        """Where `path` stands; for what is not there the key of the mapping that should have held it."""
        place = self.values.get(path)
        while place is None and path:
            path = path[:-1]
            place = self.keys.get(path) or self.values.get(path)
        return place or Place(1, 1)

    def refuse(self, path: Path, place: Place, message: str) -> None:
        """Note a problem; reading goes on, so that the next one is found as well."""
        self.problems.append(Problem(self.source, place.line, place.column, dotted(path), message))


def dotted(path: Path) -> str:
    """A path the way people write it: `steps[2].canary.traffic_percent`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def read(text: str | bytes, source: str) -> Document:
    """Parse `text`; PolicyError when it is not YAML at all. Lesser problems are in the document's `problems`."""
    document = Document(source)
    node = _compose(_decoded(text, source), source)
    if node is None:
        raise _not_yaml(source, 1, 1, "the file is empty: a policy starts with `name:`, `model:` and `targets:`")
    _Builder(document).build_root(node)
    return document


def _not_yaml(source: str, line: int, column: int, message: str) -> PolicyError:
    return PolicyError([Problem(source, line, column, "", message)])


def _decoded(text: str | bytes, source: str) -> str:
    if len(text) > MOST_BYTES:
        raise _not_yaml(source, 1, 1, f"the file is larger than {MOST_BYTES // 1024} KB: this is not a policy")
    text = _from_utf8(text, source) if isinstance(text, bytes) else text
    if (found := _UNREADABLE.search(text)) is not None:
        message = f"character U+{ord(found.group()):04X} is not allowed in YAML: delete it"
        raise _not_yaml(source, *_end(text[: found.start()]), message)
    return text


def _from_utf8(raw: bytes, source: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        before = raw[: wrong.start].decode("utf-8-sig")
        raise _not_yaml(source, *_end(before), "the file is not UTF-8: save it as UTF-8") from None


def _end(before: str) -> tuple[int, int]:
    """Line and column of what follows `before`."""
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _compose(text: str, source: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise _not_yaml(source, line, column, _plain(wrong.problem or wrong.context or "")) from None
    except RecursionError:
        raise _not_yaml(source, 1, 1, "nested too deeply to be a policy") from None
    except YAMLError as wrong:
        raise _not_yaml(source, 1, 1, f"not YAML: {wrong}") from None
    except Exception as wrong:
        # The parser has crashed on malformed input before (directives, odd escapes): still a problem of the file.
        raise _not_yaml(source, 1, 1, f"not YAML: {type(wrong).__name__}: {wrong}") from None


def _plain(problem: str) -> str:
    if r"'\t'" in problem:
        return "a tab: YAML is indented with spaces"
    if "but found another document" in problem:
        return "a second document (`---`): one file holds one policy"
    if "mapping values are not allowed" in problem:
        return "not YAML: a second `:` in one line; put text that holds `: ` in quotes"
    if "could not find expected ':'" in problem:
        return "not YAML: a line without `key: value`, or indented differently from its neighbours"
    if problem.startswith("found undefined alias"):
        return f"not YAML: {problem}: text that begins with `*` needs quotes"
    return f"not YAML: {problem}"


class _Builder:
    """Turns ruamel's nodes into plain values, noting places and problems."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._open: set[int] = set()
        self._nodes = 0

    def build_root(self, node: Any) -> None:
        """Fill the document from its root node."""
        try:
            self._document.content = self._build(node, ())
        except RecursionError:
            raise _not_yaml(self._document.source, 1, 1, "nested too deeply to be a policy") from None

    def _build(self, node: Any, path: Path) -> Any:
        place = _place(node)
        self._document.values[path] = place
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise _not_yaml(self._document.source, place.line, place.column, "too large to be a policy")
        if id(node) in self._open:
            raise _not_yaml(self._document.source, place.line, place.column, "an alias inside what it stands for")
        self._open.add(id(node))
        try:
            return self._value(node, path)
        finally:
            self._open.discard(id(node))

    def _value(self, node: Any, path: Path) -> Any:
        kind = node.tag.removeprefix(_TAG) if isinstance(node.tag, str) else str(node.tag).removeprefix(_TAG)
        if node.id == "mapping" and kind == "map":
            return self._mapping(node, path)
        if node.id == "sequence" and kind == "seq":
            return [self._build(item, (*path, index)) for index, item in enumerate(node.value)]
        if node.id == "scalar":
            return self._scalar(node, kind, path)
        self._document.refuse(path, _place(node), f"the tag {kind!r} is not used in policies: remove it")
        return None

    def _mapping(self, node: Any, path: Path) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = _place(key_node)
            if key_node.id != "scalar":
                self._document.refuse(path, place, "a key must be a plain word; text with braces needs quotes")
                continue
            key = str(key_node.value)
            if key in content:
                first = self._document.keys[(*path, key)]
                self._document.refuse((*path, key), place, f"the key is here twice (first in line {first.line})")
                continue
            self._document.keys[(*path, key)] = place
            content[key] = self._build(value_node, (*path, key))
        return content

    def _scalar(self, node: Any, kind: str, path: Path) -> Any:
        text = str(node.value)
        try:
            if kind == "null":
                return None
            if kind == "bool":
                return {"true": True, "false": False}[text.lower()]
            if kind == "int":
                return _whole(text)
            if kind == "float":
                return float(_NO_FLOAT.get(text.lower(), text.replace("_", "")))
        except (KeyError, ValueError):
            self._document.refuse(path, _place(node), f"{text!r} is not a {kind}: put text in quotes")
            return None
        if kind in ("str", "timestamp", "value", "merge"):
            return text
        self._document.refuse(path, _place(node), f"the tag {kind!r} is not used in policies: remove it")
        return None


def _whole(text: str) -> int:
    digits = text.replace("_", "").lower()
    base = {"0x": 16, "0o": 8}.get(digits.lstrip("+-")[:2], 10)
    return int(digits, base)


def _place(node: Any) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)
