"""`docs/policy.md`, written from the model, so that the reference cannot say anything that is not so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from policy.schema import schema
from policy.steps import ANYWHERE, ORDER

FILE: Final = Path(__file__).parent.parent / "docs" / "policy.md"
"""The committed reference; a test says when it is out of date."""
_HEAD: Final = """\
# The policy file

<!-- Written by `python -m policy reference` from policy/*.py: change it there. -->

One YAML 1.2 file per policy, stored as the blob `policies/<name>.yaml`. Only the keys without a default are required;
unknown and duplicate keys are refused. `policies/credit-default.yaml` is an annotated example.

    python -m policy check FILE...     # every problem as file:line:column, exit status 1 when there is one

Editors check while you type with `policy/schema.json`: put `# yaml-language-server: $schema=PATH` in the first line.

A **duration** is a whole number and a unit: `500ms`, `30s`, `15m`, `2h`, `7d`. A **share** is a number from 0 to 1.
Text that looks like a number or like `true` needs quotes.
"""
_RULES: Final = f"""\
## What a target says for itself

`steps`, `gates`, `deployment`, `alerts`, `failed`, `freeze`, `hooks`, `mode`, `adopt`, `keep`, `on_new_version`
and `foreign_change` may stand under a target too. `gates` and `deployment` are laid over the policy's key by key
(`null` turns a gate off); the others replace the policy's as a whole. Every rule below is asked of the policy in effect
at each target.

## Rules that join keys

- Steps come in the order {", ".join(ORDER)}; {" and ".join(ANYWHERE[:2])} stand anywhere before full, check after the
  first shadow or canary, for before it the new version gets no requests to be judged by.
  `full` is required; smoke, full and retire stand at most once; each canary has more traffic than the one before.
- Time alone releases no version: before full stands a shadow, canary, check or approval; or full has a bake longer
  than 0s, with error_rate or latency_p95 to judge it by. A smoke test and a wait do not count: the one has seen none of
  your traffic, the other has seen nothing.
- At least one of error_rate, latency_p95 and agreement stays on; agreement alone needs a shadow step, because it is
  judged on mirrored requests, and can judge neither a canary nor a check after one.
- Every online target needs `log_analytics_workspace_id`: without its logs no gate could ever judge a version there.
- A batch endpoint has no split: there canary steps are passed over and count for nothing, and `load`,
  `warm_up` and the gates drift and cost are refused.
- A model name with `*` or `?` needs `{{model}}` in every endpoint's name.
- Names of targets are unique, and no endpoint stands twice. One endpoint belongs to one policy: `check` with several
  files tells which of them could meet.
- A batch target needs `sample`, and agreement or error_rate: its jobs are judged by their rows.
- `drift` needs `export`; `gates.drift` and `retrain` after drift need `drift`; an alert that does `retrain` needs
  `retrain`. `gates.drift` needs a shadow, canary or check step to hold; `gates.cost` is asked before the deployment is
  made, and in each of these steps.
- A hook is asked before steps that are there: `before` names no kind of step that the target does not have.
- An alert rule that can never match, because an earlier one takes everything, is refused; so are freeze windows that
  leave no time of the week free.
"""


def text() -> str:
    """The whole reference as Markdown."""
    whole = schema()
    parts = [_HEAD, "## Top level\n", _table(whole, whole["$defs"]), _RULES]
    parts += [part for name in _sections(whole, whole) for part in _section(whole["$defs"][name], whole["$defs"])]
    return "\n".join(parts)


def _sections(whole: dict[str, Any], part: dict[str, Any]) -> Iterator[str]:
    """Names of all sections below `part`, in the order in which they are met, each once."""
    met: dict[str, None] = {}

    def walk(value: Any) -> None:
        if isinstance(value, list):
            for item in value:
                walk(item)
        elif isinstance(value, dict):
            if (name := _name(value)) and name not in met:
                met[name] = None
                walk(whole["$defs"][name])
            for key, item in value.items():
                if key not in ("$defs", "default", "discriminator"):
                    walk(item)

    walk(part)
    yield from met


def _section(part: dict[str, Any], definitions: dict[str, Any]) -> tuple[str, str, str]:
    title, description, properties = part["title"], part.get("description", ""), part["properties"]
    if title in properties and len(properties) == 1:
        return (f"## Step: {title}\n", f"{description}\n", _table(properties[title], definitions))
    return (f"## {title}\n", f"{description}\n", _table(part, definitions))


def _table(part: dict[str, Any], definitions: dict[str, Any]) -> str:
    required = part.get("required", ())
    rows = ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
    for key, value in sorted(part["properties"].items(), key=lambda item: item[0] not in required):
        default = "required" if key in required else _default(value)
        # The model leaves out a description that would only repeat that of the section.
        meaning = value.get("description") or definitions[_name(value)]["description"]
        rows.append(f"| `{key}` | {_kind(value)} | {default} | {meaning} |")
    return "\n".join(rows) + "\n"


def _default(value: dict[str, Any]) -> str:
    default = value.get("default")
    if default is None:
        return "none"
    if default in ({}, []):
        return "empty"
    return f"`{_flow(default)}`"


def _flow(value: Any) -> str:
    """A value in YAML's flow style, as one would write it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items() if item is not None) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return '"*"' if value == "*" else str(value)


def _name(value: dict[str, Any]) -> str:
    return str(value.get("$ref", "")).removeprefix("#/$defs/")


def _kind(value: dict[str, Any]) -> str:
    if "$ref" in value:
        name = _name(value)
        return f"[{name}](#{name.lower()})"
    if options := value.get("anyOf") or value.get("oneOf"):
        kinds = [_kind(option) for option in options if option.get("type") != "null"]
        return "a step, see below" if len(kinds) > 2 else " or ".join(kinds)
    if "enum" in value or "const" in value:
        return ", ".join(f"`{option}`" for option in value.get("enum", [value.get("const")]))
    return _plain_kind(value)


def _plain_kind(value: dict[str, Any]) -> str:
    kind = value.get("type")
    if kind == "array":
        items = value.get("items", {})
        return f"list of {_kind(items)}" if items else "list"
    if kind == "object":
        more = value.get("additionalProperties")
        return f"mapping to {_kind(more)}" if isinstance(more, dict) else "mapping"
    if kind in ("integer", "number"):
        words = "whole number" if kind == "integer" else "number"
        return words + _range(value)
    if "examples" in value:
        return "duration"
    return {"string": "text", "boolean": "`true`, `false`"}.get(str(kind), "anything")


def _range(value: dict[str, Any]) -> str:
    least, most, above = value.get("minimum"), value.get("maximum"), value.get("exclusiveMinimum")
    if above is not None:
        return f" above {above:g}" + (f", at most {most:g}" if most is not None else "")
    if least is not None and most is not None:
        return f" from {least:g} to {most:g}"
    return f", at least {least:g}" if least is not None else ""
