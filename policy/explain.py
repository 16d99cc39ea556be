"""pydantic's errors in the words of somebody who wrote YAML: where it is, what is wrong, what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from policy.document import Document, Path, dotted
from policy.hints import instead
from policy.problems import Problem

_WANTED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "dict": "a mapping (`key: value`)",
    "model": "a mapping (`key: value`)",
    "tuple": "a list (lines that start with `- `)",
}


def explain(document: Document, errors: Iterable[Mapping[str, Any]], schema: Mapping[str, Any]) -> list[Problem]:
    """One problem per error. `schema` is the policy's JSON Schema, which knows the keys that would be right."""
    return [_problem(document, error, schema) for error in errors]


def _problem(document: Document, error: Mapping[str, Any], schema: Mapping[str, Any]) -> Problem:
    context = error.get("ctx", {})
    path: Path = tuple(part for part in error["loc"] if part != "[key]")
    path = tuple(context["path"]) if "path" in context else (*path, *context.get("at", ()))
    message = _message(path, error, schema)
    of_key = document.keys.get(path) if error["type"] == "extra_forbidden" else None
    place = of_key or document.place(path)
    return Problem(document.source, place.line, place.column, dotted(path), message)


def _message(path: Path, error: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    kind, context = str(error["type"]), error.get("ctx", {})
    if kind == "missing":
        return f"is missing{_described(schema, path)}"
    if kind == "extra_forbidden":
        return f"is not a key here{_meant(str(path[-1]), _keys(schema, path[:-1]))}"
    if kind.startswith("union_tag"):
        return _step(error["input"], _keys(schema, path))
    if kind == "literal_error":
        options = [str(option).strip("'") for option in str(context["expected"]).replace(" or ", ", ").split(", ")]
        return (
            f"{_shown(error['input'])} is not one of {', '.join(options)}{_meant(str(error['input']), options, False)}"
        )
    if kind in ("too_short", "string_too_short"):
        return "must not be empty"
    limits = {"greater_than_equal": "at least", "less_than_equal": "at most", "greater_than": "more than"}
    if kind in limits:
        limit = context.get("ge", context.get("le", context.get("gt")))
        share = kind == "less_than_equal" and limit == 1 and 2 <= error["input"] <= 100
        meant = f": 1 is all; for {error['input']:g} % write {error['input'] / 100:g}" if share else ""
        return f"must be {limits[kind]} {limit:g}, not {error['input']}{meant}"
    if kind == "finite_number":
        return "must be a finite number"
    if kind.endswith("_type") and (wanted := _WANTED.get(kind.removesuffix("_type"))):
        return _wrong_type(error["input"], wanted, path, schema)
    return str(error["msg"])


def _wrong_type(value: Any, wanted: str, path: Path, schema: Mapping[str, Any]) -> str:
    if value is None:
        needed = any(path[-1] in part.get("required", ()) for part in _parts(schema, path[:-1]))
        return f"is empty: it must be {wanted}{'' if needed else '; remove the key to get the default'}"
    meant = instead(value, wanted, _parts(schema, path))
    return f"must be {wanted}, not {_shown(value)}{f': write {meant}' if meant else ''}"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _step(value: Any, kinds: list[str]) -> str:
    if isinstance(value, Mapping) and len(value) == 1:
        name = str(next(iter(value)))
        return f"{name!r} is not a kind of step{_meant(name, kinds)}"
    if isinstance(value, Mapping) and len(value) > 1:
        return f"a step is one kind with its settings indented below it; here are {len(value)} keys: {', '.join(value)}"
    if isinstance(value, str) and value in kinds:
        return f"write `{value}: {{}}`: a step is a kind with its settings"
    return f"a step is one kind with its settings, such as `full: {{bake: 1h}}`; kinds: {', '.join(kinds)}"


def _meant(name: str, known: list[str], listed: bool = True) -> str:
    close = difflib.get_close_matches(name.lower().replace("-", "_"), known, 1, 0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(known)}" if listed and known else ""


def _described(schema: Mapping[str, Any], path: Path) -> str:
    for part in _parts(schema, path):
        if part.get("description"):
            return f": {str(part['description']).rstrip('.')}"
    return ""


def _keys(schema: Mapping[str, Any], path: Path) -> list[str]:
    return [key for part in _parts(schema, path) for key in part.get("properties", {})]


def _parts(schema: Mapping[str, Any], path: Path) -> list[Mapping[str, Any]]:
    """Every subschema that could describe what stands at `path`."""
    found = _alternatives(schema, schema)
    for step in path:
        children = []
        for part in found:
            child = part.get("items") if isinstance(step, int) else part.get("properties", {}).get(step)
            children += _alternatives(schema, child) if child else []
        found = children
    return found


def _alternatives(schema: Mapping[str, Any], part: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if "$ref" in part:
        target = schema["$defs"][part["$ref"].rsplit("/", 1)[1]]
        rest = {key: value for key, value in part.items() if key != "$ref"}
        return [{**found, **rest} for found in _alternatives(schema, target)]
    options = part.get("anyOf", part.get("oneOf"))
    if options is None:
        return [part]
    described = {"description": part["description"]} if "description" in part else {}
    return [{**found, **described} for option in options for found in _alternatives(schema, option)]
