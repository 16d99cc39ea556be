"""Input schemas in one flat form, and what of a new one breaks the clients of the old. Pure.

Two sources are read: an OpenAPI document (2.0 or 3.x, as the inference server writes it) and an MLflow signature. Both
become paths such as `data[].age`, each with what it accepts. Compared are names, what is required, types, null and
enumerations; ranges, lengths and patterns are not (decision 0014).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

DEEPEST = 12
"""Levels of nesting that are looked at; a schema may refer to itself."""
ANY = "anything"
LIST = "list of "
WIDER: Mapping[str, frozenset[str]] = {
    "int32": frozenset({"int32", "integer", "int64", "float", "double", "number"}),
    "int64": frozenset({"int64", "integer", "double", "number"}),
    "integer": frozenset({"integer", "int64", "double", "number"}),
    "float": frozenset({"float", "double", "number"}),
    "double": frozenset({"double", "number"}),
    "number": frozenset({"number", "double"}),
}
"""For each numeric type, those that take every value of it. A format without a width is taken for the wide one."""


@dataclass(frozen=True)
class Field:
    """What one input accepts. `values` is empty unless it is an enumeration."""

    types: frozenset[str]
    required: bool = True
    values: frozenset[str] = frozenset()


Fields = dict[str, Field]


def breaking(old: Fields, new: Fields) -> list[str]:
    """What clients of `old` would stumble over, one line each; empty when everything they send is still taken."""
    found = list[str]()
    for path, field in old.items():
        if path in new:
            found += _narrowed(path, field, new[path])
        elif _parent(path) in new or not _parent(path):
            found.append(f"{path} was removed or renamed")
    for path, field in new.items():
        if path not in old and field.required and (_parent(path) in old or not _parent(path)):
            found.append(f"{path} is new and required")
    return found


def _narrowed(path: str, old: Field, new: Field) -> Iterator[str]:
    refused = {one for one in old.types if not _takes(new.types, one)}
    if refused:
        yield f"{path} was narrowed from {_said(old.types)} to {_said(new.types)}"
    if new.required and not old.required:
        yield f"{path} was optional and is required"
    if new.values and not (old.values and old.values <= new.values):
        yield f"{path} takes fewer values"


def _takes(types: frozenset[str], one: str) -> bool:
    if ANY in types or one in types:
        return True
    if one.startswith("string:"):
        return "string" in types
    if one.startswith(LIST):
        inner = frozenset(kind.removeprefix(LIST) for kind in types if kind.startswith(LIST))
        return "array" in types or _takes(inner, one.removeprefix(LIST))
    return bool(WIDER.get(one, frozenset()) & types)


def _parent(path: str) -> str:
    """The path of what holds it, without the marks of lists; empty at the top."""
    head, dot, _ = path.rpartition(".")
    return head.rstrip("[]") if dot else ""


def _said(types: frozenset[str]) -> str:
    return " or ".join(sorted(types))


def from_openapi(document: Any) -> Fields | None:
    """The inputs of an OpenAPI document's scoring operation; None when it says nothing of them."""
    schema = _body_schema(document)
    if schema is None:
        return None
    walked = _Walk(document, everything_required=not _mentions_required(document, schema))
    walked.walk(schema, "", DEEPEST)
    return walked.fields or None


def _body_schema(document: Any) -> Any:
    paths = document.get("paths") if isinstance(document, dict) else None
    for path, operations in (paths or {}).items():
        post = operations.get("post") if isinstance(operations, dict) else None
        if not isinstance(post, dict) or not str(path).rstrip("/").endswith("/score"):
            continue
        for parameter in post.get("parameters") or []:
            if isinstance(parameter, dict) and parameter.get("in") == "body":
                return parameter.get("schema")
        content = _resolved(document, post.get("requestBody") or {}).get("content") or {}
        return (content.get("application/json") or {}).get("schema")
    return None


def _resolved(document: Any, schema: Any) -> dict[str, Any]:
    """The schema itself, or what its `$ref` into the same document stands for."""
    for _ in range(DEEPEST):
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(reference, str) or not reference.startswith("#/"):
            break
        schema = document
        for part in reference[2:].split("/"):
            part = part.replace("~1", "/").replace("~0", "~")
            schema = schema.get(part) if isinstance(schema, dict) else None
    return schema if isinstance(schema, dict) else {}


def _mentions_required(document: Any, schema: Any, depth: int = DEEPEST) -> bool:
    """Whether the schema says anywhere what is required. Where it never does, everything is (decision 0014)."""
    schema = _resolved(document, schema)
    if depth == 0:
        return False
    if isinstance(schema.get("required"), list):
        return True
    below = [*(schema.get("properties") or {}).values(), schema.get("items"), *(schema.get("allOf") or [])]
    return any(_mentions_required(document, one, depth - 1) for one in below if one)


class _Walk:
    """Collects the fields of one document's schema."""

    def __init__(self, document: Any, *, everything_required: bool) -> None:
        self._document, self._all = document, everything_required
        self.fields: Fields = {}

    def walk(self, schema: Any, path: str, depth: int) -> None:
        """Add the fields below `schema`, which stands at `path`."""
        schema = self._merged(schema)
        if depth == 0:
            return
        required = schema.get("required") if isinstance(schema.get("required"), list) else []
        for name, below in (schema.get("properties") or {}).items():
            at = f"{path}.{name}" if path else str(name)
            merged = self._merged(below)
            types = self._types(merged, depth)
            values = frozenset(json.dumps(value) for value in merged.get("enum") or [])
            self.fields[at] = Field(types, self._all or name in required, values)
            self.walk(merged, at, depth - 1)
        if schema.get("items"):
            self.walk(schema["items"], f"{path}[]", depth - 1)

    def _merged(self, given: Any) -> dict[str, Any]:
        """With `$ref` and `allOf` taken in."""
        schema: dict[str, Any] = _resolved(self._document, given)
        for one in schema.get("allOf") or []:
            other = _resolved(self._document, one)
            schema = {
                **other,
                **schema,
                "properties": {**(other.get("properties") or {}), **(schema.get("properties") or {})},
                "required": [*(other.get("required") or []), *(schema.get("required") or [])],
            }
        return schema

    def _types(self, schema: dict[str, Any], depth: int) -> frozenset[str]:
        choices = [*(schema.get("anyOf") or []), *(schema.get("oneOf") or [])]
        if choices and depth:
            return frozenset().union(*(self._types(self._merged(one), depth - 1) for one in choices))
        said = schema.get("type") if depth else None
        kinds = said if isinstance(said, list) else [said] if said else []
        if not kinds:
            return frozenset({"object"} if schema.get("properties") else {ANY})
        found = {_kind(str(kind), str(schema.get("format") or "")) for kind in kinds}
        if "array" in kinds and schema.get("items"):
            items = self._types(self._merged(schema["items"]), depth - 1)
            found = found - {"array"} | {f"{LIST}{one}" for one in items}
        return frozenset(found | ({"null"} if schema.get("nullable") or schema.get("x-nullable") else set()))


def _kind(kind: str, form: str) -> str:
    if kind in ("integer", "number"):
        return form if form in WIDER else kind
    return f"string:{form}" if kind == "string" and form else kind


_MLFLOW = {"integer": "int32", "long": "int64", "datetime": "string:datetime", "binary": "string:binary"}


def from_signature(inputs: str) -> Fields | None:
    """The inputs of an MLflow signature, which holds them as JSON text; None when it cannot be read."""
    try:
        columns = json.loads(inputs)
    except ValueError:
        return None
    fields: Fields = {}
    for number, column in enumerate(columns if isinstance(columns, list) else []):
        if isinstance(column, dict):
            _column(fields, str(column.get("name", f"column {number + 1}")), column)
    return fields or None


def _column(fields: Fields, path: str, column: Mapping[str, Any]) -> None:
    required = bool(column.get("required", not column.get("optional", False)))
    fields[path] = Field(frozenset({_mlflow_type(column)}), required)
    inner, at = column, path
    while inner.get("type") == "array" and isinstance(inner.get("items"), dict):
        inner, at = inner["items"], f"{at}[]"
    for name, below in (inner.get("properties") or {}).items():
        _column(fields, f"{at}.{name}", below)


def _mlflow_type(column: Mapping[str, Any]) -> str:
    kind = str(column.get("type"))
    if kind == "tensor":
        spec = column.get("tensor-spec") or {}
        return f"tensor {spec.get('shape')} of {spec.get('dtype')}"
    if kind == "array" and isinstance(column.get("items"), dict):
        return f"{LIST}{_mlflow_type(column['items'])}"
    return _MLFLOW.get(kind, kind)
